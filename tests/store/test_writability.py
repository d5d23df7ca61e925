"""A database that answers and does not write is not ready; and it is not asked oftener than once a second."""

from pathlib import Path

import pytest
from sqlalchemy import event, text

from domain.errors import DatabaseUnavailableError
from store.engine import Database
from store.migrate import migrate
from store.writability import Writability


async def test_a_database_that_is_full_is_not_ready_though_it_answers(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'full.db'}")
    await migrate(database)
    await Writability(database).ensure()

    @event.listens_for(database.engine.sync_engine, "checkout")
    def only_read(connection: object, _: object, __: object) -> None:
        connection.cursor().execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    await database.ping()
    with pytest.raises(DatabaseUnavailableError):
        await Writability(database).ensure()
    await database.close()


async def test_many_who_ask_at_once_cost_one_write(database: Database) -> None:
    writes: list[str] = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda *seen: writes.append(seen[2]) if "readiness" in str(seen[3]) or "budget" in seen[2] else None,
    )
    writability = Writability(database)

    for _ in range(20):
        await writability.ensure()

    assert len(writes) == 1
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM budget WHERE scope = 'readiness'"))).scalar() == 1
