"""What upkeep looks for: attempts that nobody began to send, and what has been kept long enough."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import AttemptFacts, VerificationFacts
from domain.statuses import AttemptStatus, VerificationStatus
from store.attempts import FACTS, attempt_facts
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now, now_plus
from store.verifications import read_verification

_attempt = table_of(Attempt)
_verification = table_of(Verification)
# Longer than a healthy system needs to begin a submission, shorter than anybody waits for a message.
FORGOTTEN_AFTER_S = 10
_FORGOTTEN = (
    select(*FACTS)
    .join(_verification, _verification.c.id == _attempt.c.verification_id)
    .where(
        and_(
            _attempt.c.status == fixed(AttemptStatus.PLANNED),
            _attempt.c.planned_at < now_plus(-FORGOTTEN_AFTER_S),
            # One that waits for its sender's turn is not forgotten until that is over.
            or_(_attempt.c.waits_until.is_(None), _attempt.c.waits_until < now_plus(-FORGOTTEN_AFTER_S)),
            _verification.c.status == fixed(VerificationStatus.PENDING),
            _verification.c.expires_at > now(),
        )
    )
    .order_by(_attempt.c.planned_at)
    .limit(500)
)


@dataclass(frozen=True, slots=True)
class ForgottenAttempt:
    """An attempt that was planned a while ago and never begun, with its verification."""

    verification: VerificationFacts
    attempt: AttemptFacts


async def forgotten_attempts(connection: AsyncConnection) -> list[ForgottenAttempt]:
    """Return attempts whose process died, or whose word to Temporal got lost, before anybody began to send them."""
    found: list[ForgottenAttempt] = []
    for row in (await connection.execute(_FORGOTTEN)).all():
        verification: UUID = row.verification_id
        facts = await read_verification(connection, verification)
        if facts is not None:
            found.append(ForgottenAttempt(facts, attempt_facts(row)))
    return found
