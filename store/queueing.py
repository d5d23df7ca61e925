"""Attempts that wait for a message part: how long, behind whom; told to the workflow, which comes again by then."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, and_, bindparam, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus
from rules.routing.capacity import LATE_S, MICROS, Bucket, wait_s
from store.beginning import bucket_names
from store.capacity import now_us
from store.number_tables import CapacityBucket
from store.submissions import IS_LENT
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now, now_plus

_attempt, _verification = table_of(Attempt), table_of(Verification)
_bucket = table_of(CapacityBucket)
_other, _of_other = _attempt.alias("other"), _verification.alias("of_other")
_IS_WAITING = and_(
    _attempt.c.id == bindparam("of_attempt"),
    _attempt.c.status == fixed(AttemptStatus.PLANNED),
    or_(_attempt.c.number_id.is_(None), IS_LENT),
)
_BUCKETS = (
    select(_bucket.c.part_us, _bucket.c.slack_us, _bucket.c.free_at_us, now_us().label("now_us"))
    .join(_attempt, _bucket.c.name.in_(bucket_names(_attempt)))
    .where(_IS_WAITING)
)
_AHEAD = (
    select(func.count(literal(1)))
    .select_from(_other.join(_of_other, _of_other.c.id == _other.c.verification_id))
    .join(_attempt, _attempt.c.number_id == _other.c.number_id)
    .join(_verification, _verification.c.id == _attempt.c.verification_id)
    .where(
        _attempt.c.id == bindparam("of_attempt"),
        _other.c.status == fixed(AttemptStatus.PLANNED),
        _other.c.waits_until > now_plus(-LATE_S),
        _other.c.id != _attempt.c.id,
        or_(
            _of_other.c.expires_at < _verification.c.expires_at,
            and_(_of_other.c.expires_at == _verification.c.expires_at, _other.c.id < _attempt.c.id),
        ),
    )
)
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
    rows = (await connection.execute(_BUCKETS, {"of_attempt": attempt_id})).all()
    if not rows:
        return None
    ahead = int((await connection.execute(_AHEAD, {"of_attempt": attempt_id})).scalar_one())
    waits = [
        wait_s(
            Bucket(part_us=row.part_us, slack_us=row.slack_us, free_at_us=row.free_at_us),
            parts_ahead=ahead,
            now_us=row.now_us,
        )
        for row in rows
    ]
    least_s = min(row.part_us for row in rows) / MICROS
    longest_s = max(*waits, min(least_s, LATE_S / 4))
    values = {"of_attempt": attempt_id, "wait_ms": round(longest_s * 1000)}
    row = (await connection.execute(_WAIT, values)).one_or_none()
    return None if row is None else Queued(wait_s=longest_s, until=row.waits_until)
