"""Beginning a submission: an attempt is taken, its number's fence proved, its message parts paid for; or nothing is.

PostgreSQL does it in one statement. SQLite, where one writes at a time, takes several in one transaction: its round
trips cost nothing. A bucket that was never set limits nothing.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Float, and_, bindparam, exists, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus
from rules.routing.capacity import MICROS
from store.capacity import free_after, has_room
from store.engine import Database
from store.lines import (
    OTHER,
    OTHERS,
    bucket_names,
    connection_bucket_name,
    is_ahead,
    is_of_connection,
    is_of_number,
    number_bucket_name,
)
from store.number_tables import CapacityBucket
from store.submissions import BEGIN, Begun
from store.tables import Attempt, Verification, table_of
from store.times import keyed, now_plus

_attempt, _verification = table_of(Attempt), table_of(Verification)
_bucket = table_of(CapacityBucket)
_parts = bindparam("parts", type_=BigInteger)
_mine = _verification.alias("mine")


# Whoever has less time left goes first once its turn has come, or where it would have to wait for this one's part; one
# that does not come is not waited for.
def _is_due_within_a_part(of_name: ColumnElement[str]) -> ColumnElement[bool]:
    part_us = select(_bucket.c.part_us).where(_bucket.c.name == of_name).correlate(_attempt).scalar_subquery()
    return OTHER.c.waits_until <= now_plus(part_us / literal(float(MICROS), Float))


_IS_BEHIND = exists(
    select(literal(1))
    .select_from(OTHERS.join(_mine, _mine.c.id == _attempt.c.verification_id))
    .where(
        is_ahead(_attempt, _mine),
        or_(
            and_(is_of_number(_attempt), _is_due_within_a_part(number_bucket_name(_attempt))),
            and_(is_of_connection(_attempt), _is_due_within_a_part(connection_bucket_name(_attempt))),
        ),
    )
    .correlate(_attempt)
)
_THEIRS = _attempt.alias("theirs")
_BUCKETS = (
    select(_bucket.c.name, has_room().label("has_room"))
    .join(_THEIRS, _bucket.c.name.in_(bucket_names(_THEIRS)))
    .where(_THEIRS.c.id == bindparam("of_attempt"), _THEIRS.c.status == keyed(AttemptStatus.PLANNED))
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
