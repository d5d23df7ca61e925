"""The audit trail is one gap-free chain per account, in the transaction of what it records, and cannot be changed."""

import asyncio
import json
from contextlib import suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from domain.audit import AuditEntry, chain_of
from domain.ids import new_id
from domain.statuses import Environment
from store import audit
from store.audit_tables import AuditHead, AuditRow
from store.engine import Database
from store.tables import table_of
from tests.store.crowd import Crowd
from tests.store.tasks import record_50_entries

_entry, _head = table_of(AuditRow), table_of(AuditHead)


def an_entry(account_id: UUID | None, **changes: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "environment": Environment.SANDBOX,
        "actor": "key:testtest",
        "action": "key.created",
        "subject": "key:AbCd1234",
        "details": {"name": "Büro “1”", "days": 365, "live": False, "note": None},
    }
    return AuditEntry(account_id=account_id, **{**values, **changes})


async def recorded(database: Database, *entries: AuditEntry) -> None:
    for entry in entries:
        async with database.transaction() as connection:
            await audit.record(connection, entry)


async def chain_in(database: Database, account_id: UUID | None) -> list[Any]:
    query = select(_entry).where(_entry.c.chain == chain_of(account_id)).order_by(_entry.c.sequence)
    async with database.reading() as connection:
        return list((await connection.execute(query)).all())


async def head_of(database: Database, account_id: UUID | None) -> Any:
    async with database.reading() as connection:
        return (await connection.execute(select(_head).where(_head.c.chain == chain_of(account_id)))).one_or_none()


def as_anyone_would_hash(row: Any) -> str:
    """Hash a row as the document says, with nothing of ours."""
    content = {
        "action": row.action,
        "actor": row.actor,
        "at": row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "chain": row.chain,
        "details": json.loads(row.details),
        "environment": row.environment,
        "sequence": row.sequence,
        "subject": row.subject,
    }
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return sha256(bytes.fromhex(row.previous) + canonical.encode()).hexdigest()


async def test_each_entry_hashes_the_one_before_it_as_the_document_says(database: Database) -> None:
    account = new_id()

    await recorded(
        database, an_entry(account), an_entry(account, subject=None, environment=None), an_entry(account, details={})
    )

    rows, head = await chain_in(database, account), await head_of(database, account)
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert [row.previous for row in rows] == ["0" * 64, rows[0].hash, rows[1].hash]
    assert [row.hash for row in rows] == [as_anyone_would_hash(row) for row in rows]
    assert (head.sequence, head.hash) == (3, rows[2].hash)
    assert rows[0].details == '{"days":365,"live":false,"name":"Büro “1”","note":null}'


async def test_what_is_rolled_back_leaves_neither_an_entry_nor_a_gap(database: Database) -> None:
    account = new_id()
    await recorded(database, an_entry(account))

    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await audit.record(connection, an_entry(account))
            raise ZeroDivisionError
    await recorded(database, an_entry(account))

    assert [row.sequence for row in await chain_in(database, account)] == [1, 2]


async def test_accounts_and_the_instance_have_chains_of_their_own(database: Database) -> None:
    one, other = new_id(), new_id()
    before = len(await chain_in(database, None))

    await recorded(database, an_entry(one), an_entry(None), an_entry(other), an_entry(one))

    assert [row.sequence for row in await chain_in(database, one)] == [1, 2]
    assert [row.sequence for row in await chain_in(database, other)] == [1]
    assert len(await chain_in(database, None)) == before + 1


async def test_200_writers_in_several_processes_keep_one_gap_free_chain(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    account = new_id()

    crowd.run(record_50_entries, url=database_url, argument=account)

    rows = await chain_in(database, account)
    assert [row.sequence for row in rows] == list(range(1, 201))
    assert [row.previous for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert [row.hash for row in rows] == [as_anyone_would_hash(row) for row in rows]
    assert [row.at for row in rows] == sorted(row.at for row in rows)


async def test_50_writers_in_one_process_keep_one_gap_free_chain(database: Database) -> None:
    account = new_id()

    await asyncio.gather(*(recorded(database, an_entry(account, details={"writer": at})) for at in range(50)))

    rows = await chain_in(database, account)
    assert [row.sequence for row in rows] == list(range(1, 51))
    assert {json.loads(row.details)["writer"] for row in rows} == set(range(50))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET subject = 'other' WHERE chain = :chain",
        "DELETE FROM audit_entry WHERE chain = :chain",
        "DELETE FROM audit_head WHERE chain = :chain",
        "UPDATE audit_checkpoint SET hash = 'other' WHERE chain = :chain",
        "DELETE FROM audit_checkpoint WHERE chain = :chain",
    ],
)
async def test_the_database_refuses_to_change_or_delete_what_is_recorded(database: Database, statement: str) -> None:
    account = new_id()
    await recorded(database, an_entry(account))
    async with database.transaction() as connection:
        await connection.execute(text(A_CHECKPOINT), {"chain": chain_of(account)})

    with pytest.raises(DBAPIError, match="audit"):
        await executed(database, statement, account)

    assert len(await chain_in(database, account)) == 1


async def test_the_database_refuses_to_empty_or_replace_what_is_recorded(database: Database) -> None:
    account = new_id()
    await recorded(database, an_entry(account))
    is_sqlite = database.engine.dialect.name == "sqlite"
    copy = "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry WHERE chain = :chain"

    with pytest.raises(DBAPIError, match="audit"):
        await executed(database, copy if is_sqlite else "TRUNCATE audit_entry", account)

    assert len(await chain_in(database, account)) == 1


async def test_only_what_lies_before_a_cut_can_be_deleted(database: Database) -> None:
    account = new_id()
    await recorded(database, *(an_entry(account) for _ in range(3)))
    async with database.transaction() as connection:
        await connection.execute(text(A_CHECKPOINT.replace("'hour'", "'cut'")), {"chain": chain_of(account)})

    await executed(database, "DELETE FROM audit_entry WHERE chain = :chain AND sequence <= 1", account)
    with pytest.raises(DBAPIError, match="audit"):
        await executed(database, "DELETE FROM audit_entry WHERE chain = :chain AND sequence <= 2", account)

    assert [row.sequence for row in await chain_in(database, account)] == [2, 3]


A_CHECKPOINT = (
    "INSERT INTO audit_checkpoint (chain, sequence, kind, hash, at, kid, signature) "
    "VALUES (:chain, 1, 'hour', 'h', '2026-11-24 06:00:00.000000', 'kid', 's')"
)


async def executed(database: Database, statement: str, account_id: UUID) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), {} if "TRUNCATE" in statement else {"chain": chain_of(account_id)})
