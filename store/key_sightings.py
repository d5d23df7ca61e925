"""Where keys were used from, by the hour: the hour on the key itself, addresses as keyed hashes while it lasts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store import budgets
from store.tables import ApiKey, KeySighting, table_of

_key = table_of(ApiKey)
_sighting = table_of(KeySighting)
_HOUR_S = 3600
_NOTE_USE = (
    update(_key)
    .where(
        _key.c.key_id == bindparam("of_key"),
        or_(_key.c.last_used_at.is_(None), _key.c.last_used_at < bindparam("at", type_=_key.c.last_used_at.type)),
    )
    .values(last_used_at=bindparam("at", type_=_key.c.last_used_at.type))
)


def _add(insert: Any) -> Any:
    return (
        insert(_sighting)
        .values(key_id=bindparam("of_key"), hour=bindparam("of_hour"), address_hash=bindparam("of_address"))
        .on_conflict_do_nothing()
    )


_ADD = {"sqlite": _add(sqlite.insert), "postgresql": _add(postgresql.insert)}
_COUNT = (
    select(func.count())
    .select_from(_sighting)
    .where(_sighting.c.key_id == bindparam("of_key"), _sighting.c.hour == bindparam("of_hour"))
)
_FORGET = delete(_sighting).where(_sighting.c.hour < bindparam("before_hour"))


async def note_use(connection: AsyncConnection, key_id: str, *, hour: int) -> None:
    """Note on a key that it was used in an hour, counted since 1970; of an hour, once is enough."""
    await connection.execute(_NOTE_USE, {"of_key": key_id, "at": datetime.fromtimestamp(hour * _HOUR_S, tz=UTC)})


async def add_addresses(connection: AsyncConnection, key_id: str, *, hour: int, hashes: Sequence[str]) -> None:
    """Add addresses from which a key was used in an hour; those that are there already stay once."""
    rows = [{"of_key": key_id, "of_hour": hour, "of_address": each} for each in hashes]
    await connection.execute(_ADD[connection.dialect.name], rows)


async def count_addresses(connection: AsyncConnection, key_id: str, *, hour: int) -> int:
    """Return from how many addresses a key was used in an hour, as far as they were written down."""
    return int((await connection.execute(_COUNT, {"of_key": key_id, "of_hour": hour})).scalar_one())


async def claim_alarm(connection: AsyncConnection, key_id: str, *, hour: int) -> bool:
    """Say whether this is the one to raise the alarm for a key and an hour."""
    return await budgets.take(connection, scope=f"key-used-widely/{key_id}", hour=hour, amount=1, limit=1)


async def forget_before(connection: AsyncConnection, hour: int) -> int:
    """Forget the addresses of hours before this one; return how many."""
    return int((await connection.execute(_FORGET, {"before_hour": hour})).rowcount)
