"""The last word: at the deadline, once, and the database's rather than the workflow's."""

from temporalio.testing import WorkflowEnvironment

from domain.messages import Concluded, NextStep, NextStepKind
from domain.statuses import SubmissionStatus, VerificationStatus
from tests.workflows.fakes import FakeActivities
from tests.workflows.running import an_attempt, running, until

EXPIRED = VerificationStatus.EXPIRED
NOT_DUE = Concluded(status=VerificationStatus.PENDING, remaining_s=20.0)


async def test_a_verification_nobody_proves_expires_at_its_deadline(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()

    async with running(temporal, fakes, lifetime_s=300) as verification:
        result = await verification.result()
        lasted_s = await verification.lasted_s()

    assert (result.status, result.reason, result.attempts) == (EXPIRED, "deadline_passed", 1)
    assert [(each.status, each.reason) for each in fakes.concluded] == [(EXPIRED, "deadline_passed")]
    assert fakes.concluded[0].verification_id == verification.start.verification_id
    assert 299 <= lasted_s < 310


async def test_an_end_that_is_not_due_yet_is_waited_for(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(conclusions=[NOT_DUE, None])

    async with running(temporal, fakes, lifetime_s=60) as verification:
        result = await verification.result()
        lasted_s = await verification.lasted_s()

    assert result.status is EXPIRED
    assert [each.status for each in fakes.concluded] == [EXPIRED, EXPIRED]
    assert 79 <= lasted_s < 90


async def test_an_approval_is_not_lost_with_its_signal(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(conclusions=[Concluded(status=VerificationStatus.APPROVED, reason="code_checked")])

    async with running(temporal, fakes) as verification:
        result = await verification.result()

    assert (result.status, result.reason) == (VerificationStatus.APPROVED, "code_checked")
    assert len(fakes.concluded) == 1


async def test_a_message_that_cannot_arrive_ends_the_verification_with_the_reason(
    temporal: WorkflowEnvironment,
) -> None:
    hopeless = NextStep(kind=NextStepKind.FAIL, reason="recipient_permanent")
    fakes = FakeActivities(answers=[SubmissionStatus.REJECTED], steps=[hopeless])

    async with running(temporal, fakes) as verification:
        result = await verification.result()

    assert (result.status, result.reason) == (VerificationStatus.FAILED, "recipient_permanent")
    assert len(fakes.concluded) == 1


async def test_a_verification_found_finished_ends_with_what_the_database_holds(temporal: WorkflowEnvironment) -> None:
    finished = NextStep(kind=NextStepKind.FINISH, reason="the verification is finished")
    canceled = Concluded(status=VerificationStatus.CANCELED, reason="canceled_by_account")
    fakes = FakeActivities(answers=[SubmissionStatus.REJECTED], steps=[finished], conclusions=[canceled])

    async with running(temporal, fakes) as verification:
        result = await verification.result()

    assert (result.status, result.reason) == (VerificationStatus.CANCELED, "canceled_by_account")


async def test_nothing_is_sent_or_concluded_after_the_end(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()
    fakes.hold("send")

    async with running(temporal, fakes) as verification:
        await until(lambda: fakes.sent)
        await verification.resend(an_attempt(1, carrier="bravo"))
        await verification.bad_receipt(verification.start.first)
        await verification.ended(VerificationStatus.CANCELED)
        fakes.release("send")
        await verification.result()

    assert len(fakes.sent) == 1
    assert not fakes.asked
    assert not fakes.concluded


async def test_a_message_still_under_way_at_the_deadline_is_waited_for(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()
    fakes.hold("send")

    async with running(temporal, fakes, lifetime_s=1) as verification:
        await until(lambda: fakes.sent)
        await verification.passes(1.2)
        before = len(fakes.concluded)
        fakes.release("send")
        result = await verification.result()

    assert before == 0
    assert result.status is EXPIRED
    assert len(fakes.concluded) == 1
