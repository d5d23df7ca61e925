"""What a process remembers of callers: believed while the number can be read, forgotten when it moves."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text, update

from domain.errors import DatabaseUnavailableError, UnauthenticatedError
from rules.addresses import address_of
from services.access_watch import TRUSTED_S
from store.engine import Database
from store.migrate import migrate
from store.tables import ApiKey, table_of
from store.times import now
from tests.building import a_key, use_cases

HOME = address_of("127.0.0.1")


async def until(is_so: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not await is_so():  # noqa: ASYNC110 - the condition is another task's to make true
            await asyncio.sleep(0.01)


async def revoke_behind_its_back(database: Database, key: str) -> None:
    """Revoke a key as nobody should: without moving the number."""
    table = table_of(ApiKey)
    async with database.transaction() as connection:
        await connection.execute(update(table).where(table.c.key_id == key[8:16]).values(revoked_at=now()))


async def test_a_key_that_is_known_costs_no_statement(database: Database) -> None:
    key, _ = await a_key(database)
    parts, statements = use_cases(database), list[str]()

    async def is_remembered() -> bool:
        statements.clear()
        await parts.callers.who_calls(key, address=HOME)
        return not [each for each in statements if "api_key" in each]

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    async with parts.watch.running():
        await until(is_remembered, within_s=10)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_what_nobody_watches_is_looked_up_each_time(database: Database) -> None:
    key, _ = await a_key(database)
    parts = use_cases(database)
    await parts.callers.who_calls(key, address=HOME)

    await revoke_behind_its_back(database, key)

    with pytest.raises(UnauthenticatedError):
        await parts.callers.who_calls(key, address=HOME)


async def test_a_process_that_cannot_read_the_number_trusts_nothing_after_a_second(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'countersign.db'}")
    await migrate(database)
    key, _ = await a_key(database)
    parts = use_cases(database)

    async def is_trusted() -> bool:
        return parts.watch.is_trusted

    async def is_refused() -> bool:
        try:
            await parts.callers.who_calls(key, address=HOME)
        except UnauthenticatedError:
            return True
        return False

    async with parts.watch.running():
        await until(is_trusted, within_s=10)
        await parts.callers.who_calls(key, address=HOME)
        async with database.transaction() as connection:
            await connection.execute(text("ALTER TABLE access_version RENAME TO hidden"))
        await revoke_behind_its_back(database, key)
        revoked_at = asked_at = time.monotonic()
        while not await is_refused():
            assert asked_at - revoked_at <= TRUSTED_S
            asked_at = time.monotonic()
            await asyncio.sleep(0.01)
        assert not parts.watch.is_trusted
        async with database.transaction() as connection:
            await connection.execute(text("ALTER TABLE hidden RENAME TO access_version"))
        await until(is_trusted, within_s=10)
    await database.close()


async def test_what_changed_while_it_was_read_is_not_remembered(database: Database) -> None:
    key, _ = await a_key(database)
    parts = use_cases(database)

    async def is_trusted() -> bool:
        return parts.watch.is_trusted

    async with parts.watch.running():
        await until(is_trusted, within_s=10)
        looking = asyncio.create_task(parts.callers.who_calls(key, address=HOME))
        await asyncio.sleep(0)
        parts.watch.moved()
        await looking
        await revoke_behind_its_back(database, key)

        with pytest.raises((UnauthenticatedError, DatabaseUnavailableError)):
            await parts.callers.who_calls(key, address=HOME)
