"""Attempts: their rows, planned and read. What happens to one after that is in `store/submissions.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import AttemptFacts
from domain.statuses import (
    AttemptStatus,
    Channel,
    Environment,
    FailureClass,
    ReceiptStatus,
)
from store.tables import Attempt, Verification, table_of
from store.times import now

_attempt = table_of(Attempt)
_verification = table_of(Verification)
# Statuses of an attempt whose message may have reached a handset, so that its code may come back.
LIVE = (
    AttemptStatus.SUBMITTING,
    AttemptStatus.ACCEPTED,
    AttemptStatus.UNKNOWN,
    AttemptStatus.DELIVERED,
    AttemptStatus.UNDELIVERED,
    AttemptStatus.EXPIRED,
)
# Explanations are long and asked for rarely.
FACTS = tuple(column for column in _attempt.c if column.name != "explanation")
_OF_VERIFICATION = (
    select(*FACTS).where(_attempt.c.verification_id == bindparam("of_verification")).order_by(_attempt.c.sequence)
)
_BY_ID = select(*FACTS).where(_attempt.c.id == bindparam("of_attempt"))
_FOLLOWER = select(*FACTS).where(_attempt.c.follows == bindparam("of_attempt"))
_EXPLANATIONS = select(_attempt.c.id, _attempt.c.explanation).where(
    _attempt.c.verification_id == bindparam("of_verification"), _attempt.c.explanation.is_not(None)
)
_PLAN = insert(_attempt).values(status=AttemptStatus.PLANNED.value, planned_at=now(), learnt=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """An attempt about to get its row."""

    id: UUID
    verification_id: UUID
    sequence: int
    send: int
    follows: UUID | None
    channel: Channel
    carrier: str
    region: str
    pool_country: str
    sender: str
    sender_type: str
    receipt_wait_s: int
    reason: str
    number_id: UUID | None = None
    fence: int | None = None
    price_micros: int | None = None
    currency: str | None = None
    explanation: str | None = None
    verify_wait_s: int | None = None
    is_resent: bool = False

    def values(self) -> dict[str, Any]:
        """Return the columns that are this attempt's own: those of `PLAN_VALUES`."""
        return {**{name: getattr(self, name) for name in PLAN_VALUES}, "channel": self.channel.value}


PLAN_VALUES = AttemptPlan.__slots__


async def plan_attempt(connection: AsyncConnection, plan: AttemptPlan) -> None:
    """Insert a planned attempt."""
    await connection.execute(_PLAN, plan.values())


async def attempts_of(connection: AsyncConnection, verification_id: UUID) -> list[AttemptFacts]:
    """Return a verification's attempts, oldest first."""
    rows = await connection.execute(_OF_VERIFICATION, {"of_verification": verification_id})
    return [attempt_facts(row) for row in rows]


async def attempts_of_all(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, list[AttemptFacts]]:
    """Return the attempts of several verifications."""
    found: dict[UUID, list[AttemptFacts]] = {each: [] for each in ids}
    query = select(*FACTS).where(_attempt.c.verification_id.in_(ids)).order_by(_attempt.c.sequence)
    for row in await connection.execute(query):
        found[row.verification_id].append(attempt_facts(row))
    return found


async def own_attempts(
    connection: AsyncConnection, ids: Sequence[UUID], *, account_id: UUID, environment: Environment
) -> set[UUID]:
    """Return which of these attempts are of verifications of one account in one environment."""
    query = (
        select(_attempt.c.id)
        .join(_verification, _verification.c.id == _attempt.c.verification_id)
        .where(
            _attempt.c.id.in_(ids),
            _verification.c.account_id == account_id,
            _verification.c.environment == environment.value,
        )
    )
    return set((await connection.execute(query)).scalars())


async def read_attempt(connection: AsyncConnection, attempt_id: UUID) -> tuple[UUID, AttemptFacts] | None:
    """Return an attempt with the id of its verification."""
    row = (await connection.execute(_BY_ID, {"of_attempt": attempt_id})).one_or_none()
    return None if row is None else (row.verification_id, attempt_facts(row))


async def follower_of(connection: AsyncConnection, attempt_id: UUID) -> AttemptFacts | None:
    """Return the attempt that took over from this one, if one has."""
    row = (await connection.execute(_FOLLOWER, {"of_attempt": attempt_id})).one_or_none()
    return None if row is None else attempt_facts(row)


async def explanations_of(connection: AsyncConnection, verification_id: UUID) -> dict[UUID, str]:
    """Return why the routes of a verification's attempts were taken, where that is kept (`rules/routing`)."""
    rows = await connection.execute(_EXPLANATIONS, {"of_verification": verification_id})
    return {row.id: row.explanation for row in rows}


def attempt_facts(row: Any) -> AttemptFacts:
    """Return the facts of a row of the attempt table."""
    return AttemptFacts(
        id=row.id,
        sequence=row.sequence,
        send=row.send,
        channel=Channel(row.channel),
        carrier=row.carrier,
        region=row.region,
        pool_country=row.pool_country,
        sender=row.sender,
        sender_type=row.sender_type,
        receipt_wait_s=row.receipt_wait_s,
        reason=row.reason,
        status=AttemptStatus(row.status),
        failure_class=None if row.failure_class is None else FailureClass(row.failure_class),
        carrier_code=row.carrier_code,
        planned_at=row.planned_at,
        submitting_at=row.submitting_at,
        answered_at=row.answered_at,
        receipt_status=None if row.receipt_status is None else ReceiptStatus(row.receipt_status),
        receipt_at=row.receipt_at,
        proved_at=row.proved_at,
        price_micros=row.price_micros,
        currency=row.currency,
        number_id=row.number_id,
        waits_until=row.waits_until,
        verify_wait_s=row.verify_wait_s,
        is_resent=row.is_resent,
    )
