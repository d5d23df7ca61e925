"""Attempts that wait for a message part: how long, behind whom; told to the workflow, which comes again by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Integer, and_, bindparam, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus
from rules.routing.capacity import MICROS, Bucket, wait_s
from store.capacity import now_us
from store.lines import (
    OTHER,
    OTHERS,
    bucket_names,
    is_ahead,
    is_of_connection,
    is_of_number,
)
from store.number_tables import CapacityBucket
from store.submissions import IS_LENT
from store.tables import Attempt, Verification, table_of
from store.times import fixed, keyed, now, now_plus, seconds_until

_attempt, _verification = table_of(Attempt), table_of(Verification)
_bucket = table_of(CapacityBucket)
# Who lost a race for a part comes again no sooner than this.
_SOONEST_S = 0.02
_IS_PLANNED = and_(_attempt.c.id == bindparam("of_attempt"), _attempt.c.status == keyed(AttemptStatus.PLANNED))
_IS_WAITING = and_(_IS_PLANNED, or_(_attempt.c.number_id.is_(None), IS_LENT))
_BUCKETS = select(
    func.substr(_bucket.c.name, 1, 1).label("initial"),
    _bucket.c.part_us,
    _bucket.c.slack_us,
    _bucket.c.free_at_us,
    now_us().label("now_us"),
).join(_attempt, _bucket.c.name.in_(bucket_names(_attempt)))
_OF_WAITING, _OF_PLANNED = _BUCKETS.where(_IS_WAITING), _BUCKETS.where(_IS_PLANNED)


def _ahead_in(line: ColumnElement[bool]) -> Any:
    """Return how many are ahead in a line, and the place of the first one who leaves a part free before its turn.

    Places count from 0, in the order of turns. A part is free where the one in its place comes more than a part later
    than it might: whoever takes it delays nobody who goes first.
    """
    ahead = (
        select(
            seconds_until(OTHER.c.waits_until).label("due_s"),
            (func.row_number().over(order_by=OTHER.c.waits_until) - 1).label("place"),
        )
        .select_from(OTHERS.join(_attempt, line).join(_verification, _verification.c.id == _attempt.c.verification_id))
        .where(_attempt.c.id == bindparam("of_attempt"), is_ahead(_attempt, _verification))
        .subquery("ahead")
    )
    part_s = bindparam("part_s", type_=Float)
    turn_s = bindparam("first_s", type_=Float) + ahead.c.place * part_s
    is_free = and_(ahead.c.due_s > turn_s + part_s, turn_s >= bindparam("least_s", type_=Float))
    return select(func.count().label("ahead"), func.min(case((is_free, ahead.c.place))).label("free"))


# By the initials of their buckets' names. The number's line before the connection's: a message takes its part of the
# connection when its number lets it go.
_LINES = {"n": _ahead_in(is_of_number(_attempt)), "c": _ahead_in(is_of_connection(_attempt))}
_WAIT = (
    update(_attempt)
    .where(_IS_WAITING)
    .values(waits_until=now_plus(bindparam("wait_ms", type_=Integer) / fixed(1000)))
    .returning(_attempt.c.waits_until, now().label("read_at"))
)


@dataclass(frozen=True, slots=True)
class Queued:
    """An attempt that waits: for how long, as it looks now, and until when."""

    wait_s: float
    until: datetime


async def queue(connection: AsyncConnection, attempt_id: UUID) -> Queued | None:
    """Have an attempt wait for its parts; None where it is not for want of them that it cannot begin.

    In the order of what is left of their codes' time: those with less are ahead.
    """
    rows = (await connection.execute(_OF_WAITING, {"of_attempt": attempt_id})).all()
    if not rows:
        return None
    turn_s = await _turn_s(connection, attempt_id, rows) or _SOONEST_S
    values = {"of_attempt": attempt_id, "wait_ms": ceil(turn_s * 1000)}
    waiting = (await connection.execute(_WAIT, values)).one_or_none()
    return None if waiting is None else Queued(wait_s=turn_s, until=waiting.waits_until)


async def expected_in_s(connection: AsyncConnection, attempt_id: UUID) -> float | None:
    """Return in how many seconds a planned attempt would leave, as it looks now; None where nothing keeps it waiting.

    It was told when it last came; since then others with less time may have stood before it, or left the line.
    """
    rows = (await connection.execute(_OF_PLANNED, {"of_attempt": attempt_id})).all()
    return await _turn_s(connection, attempt_id, rows) if rows else None


async def _turn_s(connection: AsyncConnection, attempt_id: UUID, rows: Sequence[Any]) -> float:
    """Return in how many seconds the turn of an attempt comes, in the lines of all of its buckets."""
    turn_s = 0.0
    for row in sorted(rows, key=lambda row: list(_LINES).index(row.initial)):
        bucket = Bucket(part_us=row.part_us, slack_us=row.slack_us, free_at_us=row.free_at_us)
        values = {
            "of_attempt": attempt_id,
            "part_s": bucket.part_us / MICROS,
            "first_s": wait_s(bucket, parts_ahead=0, now_us=row.now_us),
            "least_s": turn_s,
        }
        line = (await connection.execute(_LINES[row.initial], values)).one()
        place = line.ahead if line.free is None else line.free
        turn_s = max(turn_s, wait_s(bucket, parts_ahead=place, now_us=row.now_us))
    return turn_s
