"""How a verification is shown to the account that owns it: masked, with its attempts, with advice."""

from collections.abc import Sequence
from datetime import datetime

from domain.errors import VerificationFinishedError
from domain.facts import AttemptFacts, SendFacts, VerificationFacts, VerificationView
from domain.moments import moment
from domain.phone import mask
from domain.statuses import VerificationStatus
from rules.protection.sends import advise, resend_advised_at
from security.columns import Sealer


class Presenter:
    """Turns facts into what a caller may see."""

    def __init__(self, numbers: Sealer) -> None:
        self._numbers = numbers

    async def show(
        self,
        facts: VerificationFacts,
        sends: SendFacts | None,
        attempts: Sequence[AttemptFacts],
        *,
        planned_wait_s: int | None = None,
        to: str | None = None,
    ) -> VerificationView:
        """Return the view of a verification; `planned_wait_s` is of a message that was planned after these attempts.

        `to` is its masked number; without it the stored one is opened.
        """
        sends_left, next_send_at = _sends(facts, sends)
        return VerificationView(
            facts=facts,
            to=to or await self._masked(facts),
            attempts=tuple(attempts),
            sends_left=sends_left,
            next_send_at=next_send_at,
            resend_advised_at=_resend_advised_at(facts, attempts, next_send_at, planned_wait_s=planned_wait_s),
        )

    async def _masked(self, facts: VerificationFacts) -> str:
        number = await self._numbers.open(
            facts.number_sealed, account_id=facts.account_id, row=facts.id, person=facts.person_salt
        )
        return mask(number, country=facts.country)


def finished(facts: VerificationFacts) -> VerificationFinishedError:
    """Return the refusal that says how and when a verification ended."""
    at = facts.ended_at or facts.read_at
    return VerificationFinishedError(
        f"The verification has ended: {facts.status_now}. To verify the number again, start a new one.",
        fields={
            "verification_status": facts.status_now.value,
            "reason": facts.reason or "deadline_passed",
            "finished_at": moment(at),
        },
    )


def _sends(facts: VerificationFacts, sends: SendFacts | None) -> tuple[int, datetime | None]:
    if sends is None or facts.status_now is not VerificationStatus.PENDING:
        return 0, None
    advice = advise(sends.recent_sends, next_send_at=sends.next_send_at, now=facts.read_at)
    return advice.sends_left, advice.next_send_at


def _resend_advised_at(
    facts: VerificationFacts,
    attempts: Sequence[AttemptFacts],
    next_send_at: datetime | None,
    *,
    planned_wait_s: int | None,
) -> datetime | None:
    if next_send_at is None:
        return None
    newest = attempts[-1] if attempts and planned_wait_s is None else None
    return resend_advised_at(
        facts.read_at if newest is None else newest.answered_at or newest.planned_at,
        wait_s=planned_wait_s if newest is None else newest.verify_wait_s,
        next_send_at=next_send_at,
        expires_at=facts.expires_at,
    )
