"""Reading the audit trail: pages for an account, and whole chains as they stand, for those who verify them."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, cast, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from domain.statuses import Environment
from rules.audit.chain import Link
from rules.audit.checkpoints import Checkpoint
from store.audit_tables import AuditCheckpoint, AuditHead, AuditRow
from store.tables import Account, table_of

_account = table_of(Account)
_entry = table_of(AuditRow)
_head = table_of(AuditHead)
_checkpoint = table_of(AuditCheckpoint)
# Large enough that round trips do not count, small enough that a page is nothing to hold in memory.
_PAGE = 5_000


class canonical_at(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A moment as the hash has it. A stored text that is not of the stored form stays as it is, and fits no hash."""

    type = String()
    inherit_cache = True


@compiles(canonical_at, "postgresql")
def _at_postgresql(element: canonical_at, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"to_char({at} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@compiles(canonical_at, "sqlite")
def _at_sqlite(element: canonical_at, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CASE WHEN substr({at}, 11, 1) = ' ' THEN replace({at}, ' ', 'T') || 'Z' ELSE {at} END"


_LINK = (
    _entry.c.chain,
    _entry.c.sequence,
    canonical_at(_entry.c.at).label("at"),
    _entry.c.environment,
    _entry.c.actor,
    _entry.c.action,
    _entry.c.subject,
    _entry.c.details,
    _entry.c.previous,
    _entry.c.hash,
)
_CHAIN = (
    select(*_LINK)
    .where(_entry.c.chain == bindparam("of_chain"), _entry.c.sequence > bindparam("after"))
    .order_by(_entry.c.sequence)
    .limit(_PAGE)
)
# In one statement, so that an entry written meanwhile is in both or in neither.
_END = select(
    select(_head.c.sequence).where(_head.c.chain == bindparam("of_chain")).scalar_subquery().label("sequence"),
    select(_head.c.hash).where(_head.c.chain == bindparam("of_chain")).scalar_subquery().label("hash"),
    select(func.max(_entry.c.sequence)).where(_entry.c.chain == bindparam("of_chain")).scalar_subquery().label("last"),
)
# Not on SQLite, which has one writer at a time and no such words.
_HOLD = select(_head.c.sequence).where(_head.c.chain == bindparam("of_chain")).with_for_update()
_LATEST = (
    select(_entry.c.details)
    .where(
        _entry.c.chain == bindparam("of_chain"),
        _entry.c.subject == bindparam("of_subject"),
        _entry.c.action == bindparam("of_action"),
    )
    .order_by(_entry.c.sequence.desc())
    .limit(1)
)
_CHECKPOINTS = select(
    _checkpoint.c.chain,
    _checkpoint.c.sequence,
    _checkpoint.c.hash,
    canonical_at(_checkpoint.c.at).label("at"),
    _checkpoint.c.kind,
    _checkpoint.c.kid,
    _checkpoint.c.signature,
).order_by(_checkpoint.c.chain, _checkpoint.c.sequence, _checkpoint.c.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """Which entries of a chain are asked for; those of the other environment never. `before` is a sequence."""

    chain: str
    environment: Environment
    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a chain ends: what its head says (None when there is none) and the newest entry's sequence."""

    sequence: int | None
    hash: str | None
    last: int


@asynccontextmanager
async def as_stored(connection: AsyncConnection) -> AsyncIterator[None]:
    """Read text in the block as it stands in the database, even where somebody made it no text any more."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = (await connection.get_raw_connection()).driver_connection
    driver.text_factory = lambda data: data.decode(errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


async def list_entries(connection: AsyncConnection, filters: AuditFilters, *, limit: int) -> list[Link]:
    """Return entries that meet the filters, newest first."""
    query = select(*_LINK).where(*_conditions(filters)).order_by(_entry.c.sequence.desc()).limit(limit)
    return [Link(*row) for row in (await connection.execute(query)).all()]


async def latest_details(connection: AsyncConnection, *, chain: str, action: str, subject: str) -> dict[str, Any]:
    """Return the details of the newest entry of an action on a subject; none where there is no such entry.

    The chain is held until the transaction ends, so that of two that look at once one sees what the other wrote.
    """
    await connection.execute(_HOLD, {"of_chain": chain})
    values = {"of_chain": chain, "of_action": action, "of_subject": subject}
    found = (await connection.execute(_LATEST, values)).scalar_one_or_none()
    return {} if found is None else dict(json.loads(found))


async def chain_rows(connection: AsyncConnection, chain: str, *, after: int) -> Sequence[Any]:
    """Return the next entries of a chain after a sequence, as rows with the fields of `Link` in their order."""
    return (await connection.execute(_CHAIN, {"of_chain": chain, "after": after})).all()


def links(rows: Iterable[Any]) -> Iterator[Link]:
    """Return rows of `chain_rows` as links."""
    return starmap(Link, rows)


async def end_of(connection: AsyncConnection, chain: str) -> End:
    """Return how a chain ends now."""
    row = (await connection.execute(_END, {"of_chain": chain})).one()
    return End(sequence=row.sequence, hash=row.hash, last=row.last or 0)


async def chains(connection: AsyncConnection) -> list[str]:
    """Return the names of all chains that have a head, an entry or a checkpoint."""
    named = union(*(select(each.c.chain) for each in (_head, _entry, _checkpoint)))
    return sorted((await connection.execute(named)).scalars())


async def chains_of_accounts(connection: AsyncConnection) -> list[str]:
    """Return the names that the chains of all accounts have, whether they are there or not."""
    name = func.replace(cast(_account.c.id, String), "-", "")
    return list((await connection.execute(select(name))).scalars())


async def count_of_entries(connection: AsyncConnection) -> int:
    """Return how many entries there are in all."""
    return int((await connection.execute(select(func.count()).select_from(_entry))).scalar_one())


async def checkpoints(connection: AsyncConnection, *, chain: str | None = None) -> list[Checkpoint]:
    """Return the stored checkpoints of one chain or of all, oldest first; nobody has looked at their signatures."""
    query = _CHECKPOINTS if chain is None else _CHECKPOINTS.where(_checkpoint.c.chain == chain)
    return [Checkpoint(**row) for row in (await connection.execute(query)).mappings()]


def _conditions(filters: AuditFilters) -> list[ColumnElement[bool]]:
    conditions = [
        _entry.c.chain == filters.chain,
        (_entry.c.environment == filters.environment.value) | _entry.c.environment.is_(None),
    ]
    for column in ("action", "actor", "subject"):
        wanted = getattr(filters, column)
        if wanted is not None:
            conditions.append(_entry.c[column] == wanted)
    if filters.since is not None:
        conditions.append(_entry.c.at >= filters.since)
    if filters.until is not None:
        conditions.append(_entry.c.at < filters.until)
    if filters.before is not None:
        conditions.append(_entry.c.sequence < filters.before)
    return conditions
