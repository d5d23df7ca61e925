"""The lives of a verification of which histories are recorded: one for each way it can go."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from domain.messages import Concluded, NextStep, NextStepKind, PlannedAttempt
from domain.statuses import SubmissionStatus, VerificationStatus
from tests.workflows.fakes import ACCEPTED, FakeActivities, send_next
from tests.workflows.running import Running, an_attempt, running

APPROVED, CANCELED = VerificationStatus.APPROVED, VerificationStatus.CANCELED
REJECTED, THROTTLED, UNKNOWN = SubmissionStatus.REJECTED, SubmissionStatus.THROTTLED, SubmissionStatus.UNKNOWN
DELIVERED = NextStep(kind=NextStepKind.WAIT, reason="bravo reported the message delivered")
NOT_YET = NextStep(kind=NextStepKind.WAIT, reason="no resend yet: the number had one lately", again_s=0.5)
NOT_DUE = Concluded(status=VerificationStatus.PENDING, remaining_s=1.0)
CHECKED = Concluded(status=APPROVED, reason="code_checked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How a verification goes: what its activities answer, what it is told from outside, how it ends."""

    told: Callable[[Running], Awaitable[None]]
    ends: VerificationStatus
    first: PlannedAttempt = field(default_factory=an_attempt)
    answers: tuple[SubmissionStatus | float, ...] = (ACCEPTED,)
    steps: tuple[NextStep, ...] = ()
    conclusions: tuple[Concluded | None, ...] = (None,)
    lifetime_s: int = 300

    async def play(self, environment: WorkflowEnvironment) -> WorkflowHistory:
        """Have it happen, and return what was recorded."""
        script = {"steps": self.steps} if self.steps else {}
        fakes = FakeActivities(answers=self.answers, conclusions=self.conclusions, **script)
        async with running(environment, fakes, first=self.first, lifetime_s=self.lifetime_s) as verification:
            await self.told(verification)
            result = await verification.handle.result()
            assert result.status is self.ends
            return await verification.handle.fetch_history()


async def nothing(_: Running) -> None:
    """Tell nothing."""


async def proof(verification: Running) -> None:
    """Tell that the code came back, while it or its receipt is awaited."""
    await verification.awaits("")
    await verification.ended()


async def proof_at_last(verification: Running) -> None:
    """Tell that the code came back, when nothing else is awaited any more."""
    await verification.awaits("the code")
    await verification.ended()


async def cancelation(verification: Running) -> None:
    """Tell that the account has canceled it."""
    await verification.awaits("")
    await verification.ended(CANCELED)


async def resend_and_proof(verification: Running) -> None:
    """Tell, twice, that the person asked for another message; then that the code came back."""
    await verification.awaits("the code")
    more = an_attempt(1, carrier="bravo", receipt_wait_s=8)
    await verification.resend(more)
    await verification.resend(more)
    await verification.awaits("the receipt")
    await verification.ended()


async def bad_receipt_and_proof(verification: Running) -> None:
    """Tell that the message did not arrive; then that the code came back."""
    await verification.awaits("the receipt")
    await verification.bad_receipt(verification.start.first)
    await verification.awaits("the code")
    await verification.ended()


async def proof_of_the_second(verification: Running) -> None:
    """Tell that the code came back, once another message has followed by itself."""
    await verification.has_sent(2)
    await verification.awaits("the code")
    await verification.ended()


def _bravo(sequence: int = 1, *, receipt_wait_s: int = 0) -> NextStep:
    return send_next(an_attempt(sequence, carrier="bravo", receipt_wait_s=receipt_wait_s))


def _charlie(sequence: int) -> NextStep:
    return send_next(an_attempt(sequence, carrier="charlie", region="na"))


SCENARIOS: Mapping[str, Scenario] = {
    "approved": Scenario(first=an_attempt(receipt_wait_s=8), told=proof, ends=APPROVED),
    "fail_over": Scenario(
        answers=(REJECTED, THROTTLED, UNKNOWN, ACCEPTED),
        steps=(_bravo(1), _charlie(2), _charlie(3)),
        told=proof,
        ends=APPROVED,
    ),
    "turn_awaited": Scenario(answers=(1.0, 0.5, ACCEPTED), told=proof_at_last, ends=APPROVED),
    "resend": Scenario(told=resend_and_proof, ends=APPROVED),
    "no_receipt": Scenario(
        first=an_attempt(receipt_wait_s=1),
        steps=(_bravo(receipt_wait_s=1), DELIVERED),
        told=proof_at_last,
        ends=APPROVED,
    ),
    "resent_by_itself": Scenario(
        first=an_attempt(code_wait_s=1), steps=(NOT_YET, _bravo()), told=proof_of_the_second, ends=APPROVED
    ),
    "bad_receipt": Scenario(
        first=an_attempt(receipt_wait_s=8), steps=(_bravo(),), told=bad_receipt_and_proof, ends=APPROVED
    ),
    "region_silent": Scenario(first=an_attempt(region="apac"), steps=(_bravo(),), told=proof, ends=APPROVED),
    "expired": Scenario(lifetime_s=1, conclusions=(NOT_DUE, None), told=nothing, ends=VerificationStatus.EXPIRED),
    "approval_found": Scenario(lifetime_s=1, conclusions=(CHECKED,), told=nothing, ends=APPROVED),
    "canceled": Scenario(told=cancelation, ends=CANCELED),
    "failed": Scenario(answers=(REJECTED,), told=nothing, ends=VerificationStatus.FAILED),
}
