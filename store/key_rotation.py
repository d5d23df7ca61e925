"""Rotations of keys: begun once, gone on with after a crash, finished once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.key_tables import KeyRotation, WrappedKey
from store.tables import table_of
from store.times import now

_key, _rotation = table_of(WrappedKey), table_of(KeyRotation)
_UNFINISHED = select(_rotation).where(_rotation.c.finished_at.is_(None)).order_by(_rotation.c.id)
_LATEST = select(_rotation).order_by(_rotation.c.id.desc()).limit(1)
_BEGIN = insert(_rotation).values(id=bindparam("new_id"), started_at=now()).returning(*_rotation.c)
_FINISH = (
    update(_rotation)
    .where(_rotation.c.id == bindparam("of_id"), _rotation.c.finished_at.is_(None))
    .values(finished_at=now())
)
_NEWEST_OF_EACH = (
    select(_key.c.account_id, func.max(_key.c.version).label("version"))
    .where(_key.c.account_id.is_not(None))
    .group_by(_key.c.account_id)
)
_BEHIND = (
    _NEWEST_OF_EACH.where(_key.c.account_id > bindparam("after"))
    .having(func.max(_key.c.created_at) < bindparam("since"))
    .order_by(_key.c.account_id)
    .limit(bindparam("at_most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationFacts:
    """A rotation, as stored."""

    id: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountBehind:
    """An account whose newest key is older than a rotation, and that key's version."""

    account_id: UUID
    version: int


async def unfinished_rotation(connection: AsyncConnection) -> RotationFacts | None:
    """Return the rotation that was begun and not finished."""
    row = (await connection.execute(_UNFINISHED)).first()
    return None if row is None else RotationFacts(**row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for it


async def latest_rotation(connection: AsyncConnection) -> RotationFacts | None:
    """Return the latest rotation."""
    row = (await connection.execute(_LATEST)).first()
    return None if row is None else RotationFacts(**row._mapping)  # noqa: SLF001 - as above


async def begin_rotation(connection: AsyncConnection, rotation_id: int) -> RotationFacts:
    """Begin a rotation; `IntegrityError` when somebody else has just begun it."""
    row = (await connection.execute(_BEGIN, {"new_id": rotation_id})).one()
    return RotationFacts(**row._mapping)  # noqa: SLF001 - as above


async def finish_rotation(connection: AsyncConnection, rotation_id: int) -> bool:
    """Finish a rotation; False when it was finished before."""
    return bool((await connection.execute(_FINISH, {"of_id": rotation_id})).rowcount)


async def accounts_behind(
    connection: AsyncConnection, since: datetime, *, after: UUID, at_most: int
) -> Sequence[AccountBehind]:
    """Return some of the accounts whose newest key is older than a moment, by id."""
    rows = await connection.execute(_BEHIND, {"since": since, "after": after, "at_most": at_most})
    return [AccountBehind(row.account_id, row.version) for row in rows]


async def count_accounts(connection: AsyncConnection) -> int:
    """Return how many accounts have a key."""
    each = _NEWEST_OF_EACH.subquery()
    return int((await connection.execute(select(func.count(literal(1))).select_from(each))).scalar_one())
