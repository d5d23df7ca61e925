"""What keeps the audit trail: chains due for a checkpoint, the checkpoint itself, and the cut of what is old."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.audit.checkpoints import Checkpoint
from rules.audit.retention import CHECKPOINT_ENTRIES, CHECKPOINT_S, CUT_AT_MOST, RETENTION_S
from store.audit_tables import AuditCheckpoint, AuditHead, AuditRow
from store.tables import table_of
from store.times import now, now_plus

_entry = table_of(AuditRow)
_head = table_of(AuditHead)
_checkpoint = table_of(AuditCheckpoint)


def _newest(column: Any) -> Any:
    """Return a column of a chain's newest checkpoint."""
    of_chain = select(column).where(_checkpoint.c.chain == _head.c.chain)
    return of_chain.order_by(_checkpoint.c.sequence.desc()).limit(literal(1)).scalar_subquery()


_VOUCHED_FOR = func.coalesce(_newest(_checkpoint.c.sequence), literal(0))
_DUE = (
    select(_head.c.chain)
    .where(
        _head.c.sequence > _VOUCHED_FOR,
        or_(
            literal(0) == _VOUCHED_FOR,
            _head.c.sequence >= _VOUCHED_FOR + literal(CHECKPOINT_ENTRIES),
            _newest(_checkpoint.c.at) <= now_plus(-CHECKPOINT_S),
        ),
    )
    .order_by(_head.c.chain)
)
# Two that keep the trail at the same moment vouch for the same.
_KEEP = {
    "sqlite": sqlite.insert(_checkpoint).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_checkpoint).on_conflict_do_nothing(),
}
_HEAD = select(_head.c.sequence, _head.c.hash, now().label("at")).where(_head.c.chain == bindparam("of_chain"))
_FIRST_AT = (
    select(_entry.c.at)
    .where(_entry.c.chain == _head.c.chain)
    .order_by(_entry.c.sequence)
    .limit(literal(1))
    .scalar_subquery()
)
_OLD = select(_head.c.chain).where(now_plus(-RETENTION_S) > _FIRST_AT).order_by(_head.c.chain)
_OLDEST = (
    select(_entry.c.sequence, _entry.c.hash, (_entry.c.at < now_plus(-RETENTION_S)).label("is_old"))
    .where(_entry.c.chain == bindparam("of_chain"))
    .order_by(_entry.c.sequence)
    .limit(CUT_AT_MOST)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a chain stands at the database's time."""

    sequence: int
    hash: str
    at: datetime


async def due_for_checkpoint(connection: AsyncConnection) -> list[str]:
    """Return chains that have moved, and whose newest checkpoint is an hour or many entries old, or not there."""
    return list((await connection.execute(_DUE)).scalars())


async def standing_of(connection: AsyncConnection, chain: str) -> Standing:
    """Return a chain's head; held by nobody, because a checkpoint of a moment ago is as good."""
    row = (await connection.execute(_HEAD, {"of_chain": chain})).one()
    return Standing(sequence=row.sequence, hash=row.hash, at=row.at)


async def keep_checkpoint(connection: AsyncConnection, checkpoint: Checkpoint, *, at: datetime) -> None:
    """Store a signed checkpoint; `at` is its moment."""
    values = {name: getattr(checkpoint, name) for name in ("chain", "sequence", "hash", "kind", "kid", "signature")}
    await connection.execute(_KEEP[connection.dialect.name], {**values, "at": at})


async def chains_with_old_entries(connection: AsyncConnection) -> list[str]:
    """Return chains that hold entries older than retention."""
    return list((await connection.execute(_OLD)).scalars())


async def where_to_cut(connection: AsyncConnection, chain: str) -> Standing | None:
    """Return the last of a chain's oldest entries that are all older than retention; None when there is none."""
    last = None
    for row in (await connection.execute(_OLDEST, {"of_chain": chain})).all():
        if not row.is_old:
            break
        last = row
    if last is None:
        return None
    at = (await connection.execute(select(now().label("at")))).scalar_one()
    return Standing(sequence=last.sequence, hash=last.hash, at=at)


async def remove_before_cut(connection: AsyncConnection, chain: str, *, sequence: int) -> int:
    """Remove entries up to a cut that is stored, and older checkpoints; return how many entries went."""
    old_checkpoints = delete(_checkpoint).where(_checkpoint.c.chain == chain, _checkpoint.c.sequence < sequence)
    await connection.execute(old_checkpoints)
    old_entries = delete(_entry).where(_entry.c.chain == chain, _entry.c.sequence <= sequence)
    return int((await connection.execute(old_entries)).rowcount)
