"""Message parts taken from buckets: exact on any number of processes, one conditional statement each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, bindparam, case, cast, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.routing.capacity import FORGIVEN_TENTHS, IDLE_PARTS, Bucket
from store.number_tables import CapacityBucket
from store.tables import table_of
from store.times import fixed, mark_plus

_bucket = table_of(CapacityBucket)


def now_us() -> ColumnElement[int]:
    """Return the database's clock in microseconds; it is read to the millisecond."""
    return cast(mark_plus(0), BigInteger) * fixed(1_000)


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _set(insert: Any) -> Any:
    statement = insert(_bucket)
    return statement.on_conflict_do_update(
        index_elements=["name"], set_={"part_us": statement.excluded.part_us, "slack_us": statement.excluded.slack_us}
    )


_SET = {"sqlite": _set(sqlite.insert), "postgresql": _set(postgresql.insert)}
_parts = bindparam("parts", type_=Integer)
_OF_NAME = _bucket.c.name == bindparam("of_name")


def has_room() -> ColumnElement[bool]:
    """Return whether a part may leave a bucket now."""
    return _bucket.c.free_at_us - _bucket.c.slack_us <= now_us()


def free_after(parts: ColumnElement[int]) -> ColumnElement[int]:
    """Return when what was taken from a bucket will have been paid back, once so many parts more are taken."""
    has_rested = _bucket.c.free_at_us + _bucket.c.part_us * fixed(IDLE_PARTS) <= now_us()
    forgiven_us = _bucket.c.part_us * fixed(FORGIVEN_TENTHS) // fixed(10)
    paid_from = case((has_rested, now_us()), else_=_later(_bucket.c.free_at_us, now_us() - forgiven_us))
    return paid_from + parts * _bucket.c.part_us


_TAKE = update(_bucket).where(_OF_NAME, has_room()).values(free_at_us=free_after(_parts))
_GIVE_BACK = update(_bucket).where(_OF_NAME).values(free_at_us=_bucket.c.free_at_us - _parts * _bucket.c.part_us)
_pause_us = bindparam("pause_us", type_=BigInteger)
_SLOW = (
    update(_bucket)
    .where(_OF_NAME)
    .values(free_at_us=_later(_bucket.c.free_at_us, now_us() + _pause_us + _bucket.c.slack_us))
)
_READ = select(_bucket, now_us().label("now_us")).where(_OF_NAME)


async def set_bucket(connection: AsyncConnection, name: str, bucket: Bucket) -> None:
    """Set a bucket's rate; what was taken from it before stays taken."""
    values = {"name": name, "part_us": bucket.part_us, "slack_us": bucket.slack_us, "free_at_us": bucket.free_at_us}
    await connection.execute(_SET[connection.dialect.name], values)


async def take_parts(connection: AsyncConnection, names: Sequence[str], *, parts: int) -> bool:
    """Take a message's parts from all of some buckets; False, and nothing taken, when one has none left now.

    Buckets are taken in the order of their names, so that takers never wait for one another in a circle. A bucket that
    does not exist lets nothing through.
    """
    taken: list[str] = []
    for name in sorted(set(names)):
        if not (await connection.execute(_TAKE, {"of_name": name, "parts": parts})).rowcount:
            await give_back_parts(connection, taken, parts=parts)
            return False
        taken.append(name)
    return True


async def give_back_parts(connection: AsyncConnection, names: Sequence[str], *, parts: int) -> None:
    """Return the parts of a message that did not leave."""
    for name in sorted(set(names)):
        await connection.execute(_GIVE_BACK, {"of_name": name, "parts": parts})


async def slow_bucket(connection: AsyncConnection, name: str, *, pause_us: int) -> None:
    """Let nothing through for a while: the carrier said "too fast"."""
    await connection.execute(_SLOW, {"of_name": name, "pause_us": pause_us})


async def read_bucket(connection: AsyncConnection, name: str) -> tuple[Bucket, int] | None:
    """Return a bucket and the database's time of reading it, in microseconds."""
    row = (await connection.execute(_READ, {"of_name": name})).one_or_none()
    if row is None:
        return None
    return Bucket(part_us=row.part_us, slack_us=row.slack_us, free_at_us=row.free_at_us), row.now_us
