"""Verifications: started, read, concluded exactly once. What a guess does to one is in `store/checks.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, AuditEntry
from domain.events import NewEvent
from domain.facts import Price, VerificationFacts
from domain.ids import verification_id as public_id
from domain.statuses import AttemptStatus, Channel, Environment, Purpose, VerificationStatus
from domain.verification_events import ended
from store import audit
from store.blocks import block_number
from store.costs import COST, cost_of
from store.events import emit
from store.guards import Lock, NumberKey, add_failures, of_guard
from store.tables import Attempt, Verification, table_of
from store.times import fixed, keyed, now, now_plus

_verification = table_of(Verification)
_attempt = table_of(Attempt)
_PENDING = _verification.c.status == fixed(VerificationStatus.PENDING)
_IS_PENDING = _verification.c.status == keyed(VerificationStatus.PENDING)
FACTS = (*_verification.c, of_guard("person_salt"), now().label("read_at"))
OF_ACCOUNT = and_(
    _verification.c.id == bindparam("of_id"),
    _verification.c.account_id == bindparam("of_account"),
    _verification.c.environment == bindparam("of_environment"),
)
_BY_ID = select(*FACTS).where(_verification.c.id == bindparam("of_id"))
# Not on SQLite, which has one writer at a time and no such words.
_BY_ID_HELD = _BY_ID.with_for_update()
_BY_ID_OF_ACCOUNT = select(*FACTS).where(OF_ACCOUNT)
_NEXT_COUNTER = (
    update(_verification)
    .where(_verification.c.id == bindparam("of_id"), _IS_PENDING, _verification.c.expires_at > now())
    .values(attempts_made=_verification.c.attempts_made + 1)
    .returning(_verification.c.attempts_made)
)
_CONCLUDE = (
    update(_verification)
    .where(_verification.c.id == bindparam("of_id"), _IS_PENDING)
    .values(status=bindparam("end"), reason=bindparam("because"), finished_at=now())
    .returning(*FACTS, *COST)
)
_CONCLUDE_WHEN_DUE = _CONCLUDE.where(_verification.c.expires_at <= now())
# From its deadline on a verification is told as expired, whoever concludes it later; so it becomes nothing else.
_CONCLUDE_IN_TIME = _CONCLUDE.where(_verification.c.expires_at > now())
# A guess was counted in time, so what follows from it is not judged by the clock again.
_ONLY_IN_TIME = frozenset({VerificationStatus.CANCELED, VerificationStatus.FAILED})
# The order in which every transaction takes these locks; on SQLite there is one writer, and nothing to lock.
_HOLD = (
    select(_verification.c.id, _attempt.c.id)
    .join(_attempt, _attempt.c.verification_id == _verification.c.id)
    .where(_verification.c.id == bindparam("of_id"))
    .with_for_update()
)
_IS_UNTOUCHED = ~(
    select(literal(1))
    .where(_attempt.c.verification_id == bindparam("of_id"), _attempt.c.status != fixed(AttemptStatus.PLANNED))
    .exists()
)
_REMOVE = delete(_verification).where(_verification.c.id == bindparam("of_id"), _IS_PENDING, _IS_UNTOUCHED)
_DUE = select(_verification.c.id).where(_PENDING, _verification.c.expires_at <= now_plus(-5)).limit(500)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVerification:
    """A verification about to get its row; its moments are the database's, of when its send was taken."""

    id: UUID
    account_id: UUID
    environment: Environment
    country: str
    number_sealed: str = field(repr=False)
    number_hash: str
    channel: Channel
    purpose: Purpose
    locale: str
    brand: str
    reference: str | None
    client_ip_hash: str | None
    code_length: int
    created_at: datetime
    expires_at: datetime
    max_checks: int
    failures_before: int
    next_check_at: datetime | None
    code_key_version: int

    def values(self) -> dict[str, Any]:
        """Return the columns that are this verification's own: those of `VERIFICATION_VALUES`."""
        values = {name: getattr(self, name) for name in VERIFICATION_VALUES}
        words = {"environment": self.environment, "channel": self.channel, "purpose": self.purpose}
        return {**values, **{name: word.value for name, word in words.items()}}

    def facts(self, *, person_salt: str | None) -> VerificationFacts:
        """Return the facts of the row, as it is at first."""
        own = {name: getattr(self, name) for name in VERIFICATION_VALUES if name != "client_ip_hash"}
        return VerificationFacts(
            **own,
            status=VerificationStatus.PENDING,
            reason=None,
            finished_at=None,
            checks=0,
            attempts_made=1,
            read_at=self.created_at,
            person_salt=person_salt,
        )


VERIFICATION_VALUES = NewVerification.__slots__


async def read_verification(connection: AsyncConnection, verification_id: UUID) -> VerificationFacts | None:
    """Return a verification whoever's it is: for workers, never for callers."""
    row = (await connection.execute(_BY_ID, {"of_id": verification_id})).one_or_none()
    return None if row is None else verification_facts(row)


async def hold_verification(connection: AsyncConnection, verification_id: UUID) -> VerificationFacts | None:
    """Return a verification and keep others from changing it until this transaction ends.

    Taken before any of its attempts is changed: rows are locked in the order verification, attempt, number's guard.
    """
    row = (await connection.execute(_BY_ID_HELD, {"of_id": verification_id})).one_or_none()
    return None if row is None else verification_facts(row)


async def read_verification_of(
    connection: AsyncConnection, verification_id: UUID, *, account_id: UUID, environment: Environment
) -> VerificationFacts | None:
    """Return a verification of one account in one environment."""
    whose = {"of_id": verification_id, "of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(_BY_ID_OF_ACCOUNT, whose)).one_or_none()
    return None if row is None else verification_facts(row)


async def take_counter(connection: AsyncConnection, verification_id: UUID) -> int | None:
    """Return the next attempt's counter; None once the verification is finished or its time is over."""
    made = (await connection.execute(_NEXT_COUNTER, {"of_id": verification_id})).scalar_one_or_none()
    return None if made is None else int(made) - 1


def _tell_the_end(facts: VerificationFacts, cost: Price) -> Sequence[NewEvent]:
    return (ended(facts, cost),)


async def conclude(
    connection: AsyncConnection,
    verification_id: UUID,
    *,
    status: VerificationStatus,
    reason: str,
    failures_cap: int,
    only_when_due: bool = False,
    tell: Callable[[VerificationFacts, Price], Sequence[NewEvent]] = _tell_the_end,
) -> VerificationFacts | None:
    """Take a verification to its end state; None when it has one, is not due yet, or can only expire any more.

    In the same transaction the number's failures in a row grow by this verification's wrong guesses; this and an
    approval (`store/proofs.py`) are the only ways out of `pending`, so they are carried over exactly once. What there
    is to tell of the end is written with it.
    """
    in_time = _CONCLUDE_IN_TIME if status in _ONLY_IN_TIME else _CONCLUDE
    statement = _CONCLUDE_WHEN_DUE if only_when_due else in_time
    values = {"of_id": verification_id, "end": status.value, "because": reason}
    row = (await connection.execute(statement, values)).one_or_none()
    if row is None:
        return None
    facts = verification_facts(row)
    lock = await _carry_failures_over(connection, facts, cap=failures_cap)
    await emit(connection, *tell(facts, cost_of(row)))
    if lock is not None:
        await block_number(connection, facts, number_of(facts), lock)
        await audit.record(connection, _locked(facts, failures=lock.failures))
    return facts


async def _carry_failures_over(connection: AsyncConnection, facts: VerificationFacts, *, cap: int) -> Lock | None:
    """Add to the number's failures in a row; return the lock when they have locked it."""
    if not facts.checks:
        return None
    return await add_failures(connection, number_of(facts), more=facts.checks, until=facts.next_check_at, cap=cap)


def _locked(facts: VerificationFacts, *, failures: int) -> AuditEntry:
    return AuditEntry(
        account_id=facts.account_id,
        environment=facts.environment,
        actor=SYSTEM,
        action="number.locked",
        subject=number_of(facts).subject,
        details={"failures": failures, "verification": public_id(facts.id)},
    )


async def remove_untouched(connection: AsyncConnection, verification_id: UUID) -> bool:
    """Take back a verification of which no attempt was begun, with its attempts; False when one was."""
    # A submission that is just being begun must be waited for: until it commits, its attempt still looks planned.
    await connection.execute(_HOLD, {"of_id": verification_id})
    return bool((await connection.execute(_REMOVE, {"of_id": verification_id})).rowcount)


async def due_verifications(connection: AsyncConnection) -> list[UUID]:
    """Return verifications that should have been concluded seconds ago: nobody is there to do it."""
    return list((await connection.execute(_DUE)).scalars())


async def count_pending(connection: AsyncConnection) -> int:
    """Return how many verifications are pending, for reports."""
    query = select(func.count(literal(1))).select_from(_verification).where(_PENDING)
    return int((await connection.execute(query)).scalar_one())


def number_of(facts: VerificationFacts) -> NumberKey:
    """Return the guard key of a verification's number."""
    return NumberKey(account_id=facts.account_id, environment=facts.environment, number_hash=facts.number_hash)


def verification_facts(row: Any) -> VerificationFacts:
    """Return the facts of a row that was selected with `FACTS`."""
    return VerificationFacts(
        id=row.id,
        account_id=row.account_id,
        environment=Environment(row.environment),
        country=row.country,
        number_sealed=row.number_sealed,
        number_hash=row.number_hash,
        channel=Channel(row.channel),
        purpose=Purpose(row.purpose),
        locale=row.locale,
        brand=row.brand,
        reference=row.reference,
        code_length=row.code_length,
        status=VerificationStatus(row.status),
        reason=row.reason,
        created_at=row.created_at,
        expires_at=row.expires_at,
        finished_at=row.finished_at,
        max_checks=row.max_checks,
        checks=row.checks,
        failures_before=row.failures_before,
        next_check_at=row.next_check_at,
        attempts_made=row.attempts_made,
        read_at=row.read_at,
        code_key_version=row.code_key_version,
        person_salt=row.person_salt,
    )
