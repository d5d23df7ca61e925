"""Outcomes that nothing was learnt of yet: taken by one worker each, in the transaction that writes what they teach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus, Environment, FailureClass, SubmissionStatus, VerificationStatus
from rules.routing.connections import connection_name
from rules.routing.health import NumberRecord
from rules.routing.learning import UNPROVED_AFTER_S, Outcome, is_judged_at_once
from rules.routing.proportions import Share
from store.route_tables import NumberHealth
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now, now_plus

_attempt, _verification, _number = table_of(Attempt), table_of(Verification), table_of(NumberHealth)
# How far an attempt was learnt: nothing, its answer, all.
_NOTHING, _ANSWER, _ALL = 0, 1, 2
BATCH = 500
_NEW = (
    select(
        *(
            _attempt.c[name]
            for name in (
                "id",
                "carrier",
                "region",
                "carrier_code",
                "pool_country",
                "sender_type",
                "channel",
                "number_id",
                "status",
                "failure_class",
                "planned_at",
                "submitting_at",
                "answered_at",
                "receipt_at",
                "proved_at",
                "learnt",
            )
        ),
        _verification.c.environment,
        _verification.c.country,
        _verification.c.status.label("ended"),
        now().label("read_at"),
    )
    .join(_verification, _verification.c.id == _attempt.c.verification_id)
    .where(
        _attempt.c.learnt < fixed(_ALL),
        _attempt.c.answered_at.is_not(None),
        or_(
            _attempt.c.learnt == fixed(_NOTHING),
            _attempt.c.proved_at.is_not(None),
            _attempt.c.answered_at <= now_plus(-UNPROVED_AFTER_S),
        ),
    )
    .order_by(_attempt.c.answered_at, _attempt.c.id)
    .limit(BATCH)
    .with_for_update(of=_attempt, skip_locked=True)
)
_LEARN = update(_attempt).where(_attempt.c.id == bindparam("of_attempt")).values(learnt=bindparam("so_far"))
_BEGIN = {
    "sqlite": sqlite.insert(_number).on_conflict_do_nothing(index_elements=["number_id"]),
    "postgresql": postgresql.insert(_number).on_conflict_do_nothing(index_elements=["number_id"]),
}
_COUNTS = ("proved", "judged", "received", "accepted", "blocked", "spam", "throttled", "answered")
_READ = select(_number).where(_number.c.number_id.in_(bindparam("of_numbers", expanding=True)))
_WRITE = (
    update(_number)
    .where(_number.c.number_id == bindparam("of_number"), _number.c.version == bindparam("seen"))
    .values(version=_number.c.version + 1, **{name: bindparam(f"new_{name}") for name in _COUNTS})
)


@dataclass(frozen=True, slots=True)
class KnownNumber:
    """What is known of a number, with the version of the row it was read from."""

    version: int
    record: NumberRecord


async def take_outcomes(connection: AsyncConnection) -> list[Outcome]:
    """Return outcomes that nothing was learnt of yet, oldest first, and mark them; others take none of these."""
    rows = (await connection.execute(_NEW)).all()
    taken = [_outcome(row) for row in rows]
    if rows:
        marks = [{"of_attempt": row.id, "so_far": so_far} for row, (_, so_far) in zip(rows, taken, strict=True)]
        await connection.execute(_LEARN, marks)
    return [outcome for outcome, _ in taken if outcome is not None]


async def read_numbers(connection: AsyncConnection, numbers: Sequence[UUID]) -> dict[UUID, KnownNumber]:
    """Return what is known of numbers; those that nothing is known of get their row."""
    for each in sorted(set(numbers)):
        values = {"number_id": each, "version": 0, **dict.fromkeys(_COUNTS, 0.0)}
        await connection.execute(_BEGIN[connection.dialect.name].values(**values))
    rows = await connection.execute(_READ, {"of_numbers": list(set(numbers))})
    return {row.number_id: KnownNumber(row.version, number_record(row)) for row in rows}


async def write_number(connection: AsyncConnection, number_id: UUID, known: KnownNumber) -> bool:
    """Write what is known of a number; False, and nothing written, when another has written since it was read."""
    record = known.record
    values = {
        "of_number": number_id,
        "seen": known.version,
        "new_proved": record.proved.of,
        "new_judged": record.proved.total,
        "new_received": record.received.of,
        "new_accepted": record.received.total,
        "new_blocked": record.blocked.of,
        "new_spam": record.spam.of,
        "new_throttled": record.throttled.of,
        "new_answered": record.spam.total,
    }
    return bool((await connection.execute(_WRITE, values)).rowcount)


def number_record(row: Any) -> NumberRecord:
    """Return the record of a row that has a number's counts."""
    return NumberRecord(
        proved=Share(row.proved, row.judged),
        received=Share(row.received, row.accepted),
        blocked=Share(row.blocked, row.answered),
        spam=Share(row.spam, row.answered),
        throttled=Share(row.throttled, row.answered),
    )


def _outcome(row: Any) -> tuple[Outcome | None, int]:
    """Return what is newly known of an attempt, None where it teaches nothing, and how far it is learnt then."""
    if row.submitting_at is None:
        return None, _ALL  # it never left us: no word about its carrier
    answer = _answer(row.status)
    failure = None if row.failure_class is None else FailureClass(row.failure_class)
    of_recipient = is_judged_at_once(answer, failure)
    is_answer_new = row.learnt == _NOTHING
    # A sender of the routes file has taught what it can when it is answered.
    is_proved, so_far = (None, _ALL) if row.number_id is None else _verdict(row, of_recipient=of_recipient)
    is_receipt_known = so_far == _ALL and of_recipient is None and (row.receipt_at is not None or is_proved is False)
    is_receipt_known = is_receipt_known and row.number_id is not None
    return Outcome(
        environment=Environment(row.environment),
        country=row.country,
        group="/".join((row.carrier, row.pool_country, row.sender_type, row.channel)),  # noqa: FLY002 - as elsewhere
        number_id=row.number_id,
        planned_at=row.planned_at,
        at=row.answered_at,
        answer=answer if is_answer_new else None,
        failure_class=failure,
        is_proved=is_proved,
        is_receipt_known=is_receipt_known,
        receipt_s=_after(row.answered_at, row.receipt_at) if is_receipt_known else None,
        proof_s=_after(row.answered_at, row.proved_at) if is_proved else None,
        connection=connection_name(row.carrier, region=row.region),
        carrier_code=row.carrier_code,
    ), so_far


def _verdict(row: Any, *, of_recipient: bool | None) -> tuple[bool | None, int]:
    """Return whether the message is proved, None where that is not known or says nothing, and how far it is learnt."""
    if row.proved_at is not None:
        return True, _ALL
    if of_recipient is not None:
        return (None if of_recipient else False), _ALL
    if (row.read_at - row.answered_at).total_seconds() < UNPROVED_AFTER_S:
        return None, _ANSWER
    # Whoever calls it off tells nothing of the route.
    return (None if row.ended == VerificationStatus.CANCELED.value else False), _ALL


def _answer(status: str) -> SubmissionStatus:
    match AttemptStatus(status):
        case AttemptStatus.REJECTED:
            return SubmissionStatus.REJECTED
        case AttemptStatus.THROTTLED:
            return SubmissionStatus.THROTTLED
        case AttemptStatus.UNKNOWN:
            return SubmissionStatus.UNKNOWN
        case _:
            return SubmissionStatus.ACCEPTED


def _after(answered_at: datetime, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (at - answered_at).total_seconds())
