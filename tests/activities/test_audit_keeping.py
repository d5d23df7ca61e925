"""Chains that moved are vouched for hourly, what is older than retention goes behind a signed cut, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from activities.audit_keeping import AuditKeeping
from bench.audit.filling import fill
from domain.ids import new_id
from rules.audit.checkpoints import Checkpoint
from rules.audit.retention import CHECKPOINT_ENTRIES, RETENTION_S
from store.audit_reading import checkpoints
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import table_of
from tests.store.audit_trails import SIGNER, an_entry, recorded, verified

_entry = table_of(AuditRow)


async def kept(database: Database) -> list[Checkpoint]:
    """Keep the trail; return the checkpoints of accounts' chains."""
    await AuditKeeping(database=database, signer=SIGNER).keep()
    async with database.reading() as connection:
        return [each for each in await checkpoints(connection) if each.chain != "instance"]


async def sequences(database: Database, chain: str) -> list[int]:
    query = select(_entry.c.sequence).where(_entry.c.chain == chain).order_by(_entry.c.sequence)
    async with database.reading() as connection:
        return list((await connection.execute(query)).scalars())


async def a_chain(database: Database, *, ago_s: float, entries: int) -> UUID:
    """Return an account whose chain began so many seconds ago, an entry every four, vouched for at its end."""
    beginning = datetime.now(UTC) - timedelta(seconds=ago_s)
    filled = await fill(database, events=entries, in_chains=1, signer=SIGNER, beginning=beginning)
    return UUID(hex=filled[-1].chain)


async def test_a_chain_is_vouched_for_when_it_has_moved_and_an_hour_is_over(own_database: Database) -> None:
    young, old = new_id(), await a_chain(own_database, ago_s=3700, entries=5)
    await recorded(own_database, an_entry(young))

    first = await kept(own_database)
    again = await kept(own_database)
    await recorded(own_database, an_entry(young), an_entry(old))
    moved = await kept(own_database)

    assert [each.sequence for each in first if each.chain == young.hex] == [1]
    assert again == first
    assert [each.sequence for each in moved if each.chain == young.hex] == [1]
    assert [each.sequence for each in moved if each.chain == old.hex] == [5, 6]
    assert (await verified(own_database, moved)).is_whole


async def test_a_busy_chain_is_vouched_for_sooner(own_database: Database) -> None:
    # Of the checkpoints in it the newest is a few seconds old.
    busy = await a_chain(own_database, ago_s=4.0 * (CHECKPOINT_ENTRIES + 100), entries=CHECKPOINT_ENTRIES + 100)
    calm = len(await kept(own_database))

    for _ in range(2):
        await recorded(own_database, an_entry(busy))

    assert len(await kept(own_database)) == calm


async def test_what_is_older_than_retention_goes_behind_a_signed_cut(own_database: Database) -> None:
    # Twelve entries four seconds apart, of which the first four are older than the limit, and the next ones soon.
    account = await a_chain(own_database, ago_s=RETENTION_S + 18, entries=12)
    await recorded(own_database, an_entry(account))

    found = await kept(own_database)

    assert 5 <= (await sequences(own_database, account.hex))[0] <= 12
    assert [each.kind for each in found if each.chain == account.hex] == ["cut", "hour", "hour"]
    report = await verified(own_database, found)
    assert report.is_whole, report.findings
    actions = [row.action for row in await _entries(own_database, "instance")]
    assert sorted(actions) == ["audit.cut", "schema.migrated"]


async def test_a_chain_of_which_all_is_too_old_goes_and_can_still_grow(own_database: Database) -> None:
    account = await a_chain(own_database, ago_s=RETENTION_S + 1_000, entries=12)

    await kept(own_database)
    gone = await sequences(own_database, account.hex)
    whole_when_empty = (await verified(own_database)).is_whole
    await recorded(own_database, an_entry(account))

    assert gone == []
    assert whole_when_empty
    assert await sequences(own_database, account.hex) == [13]
    assert (await verified(own_database)).is_whole


async def test_keeping_twice_changes_nothing(own_database: Database) -> None:
    account = await a_chain(own_database, ago_s=RETENTION_S + 18, entries=12)
    first = await kept(own_database)
    left = await sequences(own_database, account.hex)

    assert await kept(own_database) == first
    assert await sequences(own_database, account.hex) == left


async def _entries(database: Database, chain: str) -> list[Any]:
    async with database.reading() as connection:
        return list((await connection.execute(select(_entry).where(_entry.c.chain == chain))).all())
