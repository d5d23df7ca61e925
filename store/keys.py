"""Wrapped keys: found by name or owner, added once, wrapped anew. What is wrapped, nothing here can read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.key_tables import WrappedKey
from store.tables import Account, ApiKey, Verification, table_of
from store.times import now

_key = table_of(WrappedKey)
_account, _verification, _api_key = table_of(Account), table_of(Verification), table_of(ApiKey)
# One statement for both, so that the first of two processes wins and the other one's key is not kept.
_COLUMNS = ("kid", "use", "account_id", "version", "wrapped", "wrapped_by")
_ADD = {
    dialect: make(_key)
    .values(created_at=now(), **{name: bindparam(name) for name in _COLUMNS})
    .on_conflict_do_nothing()
    for dialect, make in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_BY_KID = select(_key).where(_key.c.kid == bindparam("of_kid"))
_NEWEST_OF = select(_key).where(_key.c.account_id == bindparam("of_account")).order_by(_key.c.version.desc()).limit(1)
_OF_INSTANCE = select(_key).where(_key.c.account_id.is_(None)).order_by(_key.c.use, _key.c.version)
_ADDED = select(_key.c.kid, _key.c.use, _key.c.account_id).where(_key.c.created_at > bindparam("since"))
_WRAPPED_BY_OTHERS = (
    select(_key)
    .where(_key.c.wrapped_by != bindparam("current"), _key.c.kid > bindparam("after"))
    .order_by(_key.c.kid)
    .limit(bindparam("at_most"))
)
_REWRAP = (
    update(_key)
    .where(_key.c.kid == bindparam("of_kid"), _key.c.wrapped_by == bindparam("was_by"))
    .values(wrapped=bindparam("now_wrapped"), wrapped_by=bindparam("now_by"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedRow:
    """A key as it is stored: `wrapped` in URL-safe base64."""

    kid: str
    use: str
    account_id: UUID | None
    version: int
    wrapped: str = field(repr=False)
    wrapped_by: str


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to the keys of a database, and its time of saying so."""

    rows: Sequence[tuple[str, str, UUID | None]]
    read_at: datetime


async def add_keys(connection: AsyncConnection, rows: Iterable[WrappedRow]) -> None:
    """Add keys; one whose owner has this version already is left out."""
    names = WrappedRow.__slots__
    values = [{name: getattr(row, name) for name in names} for row in rows]
    await connection.execute(_ADD[connection.dialect.name], values)


async def instance_keys(connection: AsyncConnection) -> list[WrappedRow]:
    """Return every key of the instance, in all versions, oldest first."""
    return [_row(row) for row in await connection.execute(_OF_INSTANCE)]


async def find_key(connection: AsyncConnection, kid: str) -> WrappedRow | None:
    """Return a key by its name."""
    row = (await connection.execute(_BY_KID, {"of_kid": kid})).one_or_none()
    return None if row is None else _row(row)


async def newest_key_of(connection: AsyncConnection, account_id: UUID) -> WrappedRow | None:
    """Return an account's newest key."""
    row = (await connection.execute(_NEWEST_OF, {"of_account": account_id})).one_or_none()
    return None if row is None else _row(row)


async def added_since(connection: AsyncConnection, since: datetime) -> Added:
    """Return the names of the keys added since a moment of the database's clock."""
    read_at = await database_time(connection)
    rows = (await connection.execute(_ADDED, {"since": since})).all()
    return Added([(row.kid, row.use, row.account_id) for row in rows], read_at)


async def database_time(connection: AsyncConnection) -> datetime:
    """Return the database's time."""
    moment: datetime = (await connection.execute(select(now()))).scalar_one()
    return moment


async def wrapped_by_others(connection: AsyncConnection, current: str, *, after: str, at_most: int) -> list[WrappedRow]:
    """Return some of the keys that another key-encryption key than the current one wrapped, by name."""
    values = {"current": current, "after": after, "at_most": at_most}
    return [_row(row) for row in await connection.execute(_WRAPPED_BY_OTHERS, values)]


async def rewrap(connection: AsyncConnection, row: WrappedRow, *, wrapped: str, wrapped_by: str) -> bool:
    """Replace a key's wrapping; False when somebody else has."""
    values = {"of_kid": row.kid, "was_by": row.wrapped_by, "now_wrapped": wrapped, "now_by": wrapped_by}
    return bool((await connection.execute(_REWRAP, values)).rowcount)


async def count_by_wrapping(connection: AsyncConnection) -> dict[str, int]:
    """Return how many keys each key-encryption key has wrapped."""
    query = select(_key.c.wrapped_by, func.count(literal(1))).group_by(_key.c.wrapped_by).order_by(_key.c.wrapped_by)
    return {str(by): int(count) for by, count in await connection.execute(query)}


async def is_empty(connection: AsyncConnection) -> bool:
    """Say whether nothing was ever written that needs a key."""
    for table in (_key, _api_key, _verification):
        if (await connection.execute(select(literal(1)).select_from(table).limit(1))).first() is not None:
            return False
    return True


async def newest_sealed_number(connection: AsyncConnection) -> str | None:
    """Return the sealed number of the newest verification, which names the key it was sealed with."""
    query = select(_verification.c.number_sealed).order_by(_verification.c.id.desc()).limit(1)
    return (await connection.execute(query)).scalar()


def _row(row: Any) -> WrappedRow:
    return WrappedRow(**{name: getattr(row, name) for name in WrappedRow.__slots__})
