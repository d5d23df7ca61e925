"""Beginning a submission: an attempt is taken, its number's fence proved, its message parts paid for; or nothing is.

PostgreSQL does it in one statement. SQLite, where one writes at a time, takes several in one transaction: its round
trips cost nothing. A bucket that was never set limits nothing.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, String, and_, bindparam, cast, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus
from rules.routing.capacity import LATE_S
from store.capacity import free_after, has_room
from store.engine import Database
from store.number_tables import CapacityBucket
from store.submissions import BEGIN, Begun
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now, now_plus

_attempt, _verification = table_of(Attempt), table_of(Verification)
_bucket = table_of(CapacityBucket)
_parts = bindparam("parts", type_=BigInteger)
_other, _of_other = _attempt.alias("other"), _verification.alias("of_other")
_mine = _verification.alias("mine")


def bucket_names(attempt: Any) -> Any:
    """Return the names of the buckets that a message of an attempt is paid from (`rules/routing/capacity.py`)."""
    number = func.replace(cast(attempt.c.number_id, String), "-", "")
    return (
        literal("number/").concat(number),
        literal("carrier/").concat(attempt.c.carrier).concat("/").concat(attempt.c.region),
    )


# Whoever has less time left goes first, as soon as it has been told to come; one that does not come is not waited for.
_IS_BEHIND = exists(
    select(literal(1))
    .select_from(_other.join(_of_other, _of_other.c.id == _other.c.verification_id))
    .join(_mine, _mine.c.id == _attempt.c.verification_id)
    .where(
        _other.c.number_id == _attempt.c.number_id,
        _other.c.status == fixed(AttemptStatus.PLANNED),
        _other.c.waits_until <= now(),
        _other.c.waits_until > now_plus(-LATE_S),
        or_(
            _of_other.c.expires_at < _mine.c.expires_at,
            and_(_of_other.c.expires_at == _mine.c.expires_at, _other.c.id < _attempt.c.id),
        ),
    )
    .correlate(_attempt)
)
_THEIRS = _attempt.alias("theirs")
_BUCKETS = (
    select(_bucket.c.name, has_room().label("has_room"))
    .join(_THEIRS, _bucket.c.name.in_(bucket_names(_THEIRS)))
    .where(_THEIRS.c.id == bindparam("of_attempt"), _THEIRS.c.status == fixed(AttemptStatus.PLANNED))
    .order_by(_bucket.c.name)
    .with_for_update(of=_bucket)
)
_HELD = _BUCKETS.cte("held")
_IS_FULL = select(literal(1)).select_from(_HELD).where(~_HELD.c.has_room).exists()
_BEGUN = BEGIN.where(~_IS_FULL, ~_IS_BEHIND).cte("begun")
_PAID = (
    update(_bucket)
    .where(_bucket.c.name.in_(select(_HELD.c.name)), select(literal(1)).select_from(_BEGUN).exists())
    .values(free_at_us=free_after(_parts))
    .returning(_bucket.c.name)
    .cte("paid")
)
_ALL_AT_ONCE = select(_BEGUN).add_cte(_PAID)
_BEGIN_ALONE = BEGIN.where(~_IS_BEHIND)
_PAY = update(_bucket).where(_bucket.c.name == bindparam("of_name")).values(free_at_us=free_after(_parts))


async def begin(database: Database, attempt_id: UUID, *, parts: int = 1) -> Begun | None:
    """Take an attempt from planned to submitting, with its message parts; None to all callers but the one that won."""
    values = {"of_attempt": attempt_id, "parts": parts}
    if not database.is_sqlite:
        async with database.statement() as connection:
            return _begun(await connection.execute(_ALL_AT_ONCE, values))
    async with database.transaction() as connection:
        return await _in_steps(connection, values)


async def _in_steps(connection: AsyncConnection, values: dict[str, Any]) -> Begun | None:
    buckets = (await connection.execute(_BUCKETS, values)).all()
    if not all(each.has_room for each in buckets):
        return None
    begun = _begun(await connection.execute(_BEGIN_ALONE, values))
    if begun is not None and buckets:
        await connection.execute(_PAY, [{"of_name": each.name, "parts": values["parts"]} for each in buckets])
    return begun


def _begun(result: Any) -> Begun | None:
    row = result.mappings().one_or_none()
    return None if row is None else Begun(**row)
