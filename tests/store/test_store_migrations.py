"""Migrations make what the models say, one step after another, there and back, on their own."""

import ast
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Uuid, bindparam, inspect, text
from sqlmodel import SQLModel

from bench.postgres import Cluster
from domain.errors import DatabaseUnavailableError
from domain.ids import new_id
from rules.audit.verifying import Fault
from store.audit_tables import AuditRow
from store.engine import Database
from store.migrate import NotMigratedError, ensure_migrated, head, migrate
from store.number_tables import SenderNumber
from store.route_tables import RouteHealth
from store.tables import Account, table_of
from store.times import UtcDateTime
from tests.building import a_caller, a_verification
from tests.databases import fresh_database
from tests.store.audit_trails import verified

MIGRATIONS = Path(__file__).parents[2] / "store" / "migrations"
OURS = {"api", "services", "workflows", "activities", "carriers", "store", "security", "rules", "domain", "runtime"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with fresh_database(cluster) as url:
        yield url


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def differences(connection: Connection) -> list[Any]:
    """Return what Alembic would change to make the database as the models say."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    found: list[Any] = compare_metadata(context, SQLModel.metadata)
    return found


def constraints(connection: Connection) -> dict[str, Any]:
    """Return what Alembic does not compare: checks, and the conditions of indexes."""
    inspector = inspect(connection)
    return {
        table: {
            "checks": {each["name"]: each["sqltext"] for each in inspector.get_check_constraints(table)},
            "indexes": {each["name"]: _conditions(each) for each in inspector.get_indexes(table)},
            "uniques": {each["name"]: each["column_names"] for each in inspector.get_unique_constraints(table)},
            "keys": inspector.get_pk_constraint(table)["constrained_columns"],
        }
        for table in SQLModel.metadata.tables
    }


def _conditions(index: Any) -> dict[str, str]:
    return {name: str(value) for name, value in index.get("dialect_options", {}).items()}


async def test_a_migrated_database_is_what_the_models_say(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_comparison_sees_a_column_too_many(empty_url: str) -> None:
    database = Database(empty_url)
    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE account ADD COLUMN odd INTEGER"))
        found = await connection.run_sync(differences)
    await database.close()

    assert [each[0] for each in found] == ["remove_column"]


async def test_checks_and_conditional_indexes_are_what_the_models_say(empty_url: str) -> None:
    database = Database(empty_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
        expected = await connection.run_sync(constraints)
        await connection.run_sync(SQLModel.metadata.drop_all)

    await migrate(database)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(constraints) == expected
    await database.close()


async def test_every_step_goes_back_and_forth(empty_url: str) -> None:
    database = Database(empty_url)

    async with database.engine.connect() as connection:
        seen = [await connection.run_sync(migrated_to, revision) for revision in ("head", "base", "head")]
    await database.close()

    assert {table_of(AuditRow).name, table_of(SenderNumber).name, table_of(RouteHealth).name} <= set(seen[0])
    assert seen[0] == seen[2] == {*SQLModel.metadata.tables, "alembic_version"}
    assert seen[1] == {"alembic_version"}


def migrated_to(connection: Connection, revision: str) -> set[str]:
    """Go up or down to a revision; return the tables there are then."""
    (command.downgrade if revision == "base" else command.upgrade)(config(connection), revision)
    connection.commit()
    return set(inspect(connection).get_table_names())


async def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    database = Database(empty_url)

    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("INSERT INTO budget (scope, hour, used) VALUES ('kept', 1, 1)"))
    await migrate(database)

    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT scope FROM budget"))).scalars().all() == ["kept"]
    await database.close()


async def test_an_upgrade_begins_the_chains_of_accounts_from_before_the_trail_and_heals_no_emptied_one(
    empty_url: str,
) -> None:
    database = Database(empty_url)
    async with database.connecting() as connection:
        await connection.run_sync(migrated_to, "20261122_first")
        old = new_id()
        insert = "INSERT INTO account (id, name, created_at) VALUES (:id, 'Old', :at)"
        values = {"id": old, "at": datetime(2026, 11, 22, tzinfo=UTC)}
        types = (bindparam("id", type_=Uuid()), bindparam("at", type_=UtcDateTime()))
        await connection.execute(text(insert).bindparams(*types), values)
        await connection.commit()

    await migrate(database)
    upgraded = await verified(database)
    await a_caller(database)
    await migrate(database)
    without_a_chain = await verified(database)
    await database.close()

    assert (upgraded.findings, upgraded.chains, upgraded.entries) == ([], 2, 2)
    assert [each.fault for each in without_a_chain.findings] == [Fault.TRUNCATED]


async def test_a_database_at_another_revision_is_not_ready(empty_url: str) -> None:
    database = Database(empty_url)
    await migrate(database)
    await ensure_migrated(database)

    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))

    with pytest.raises(NotMigratedError, match=head()):
        await ensure_migrated(database)
    await database.close()


def test_there_is_one_head_and_names_are_dated() -> None:
    script = ScriptDirectory.from_config(config())

    revisions = [each.revision for each in script.walk_revisions()]

    assert script.get_heads() == [head()]
    assert [each for each in revisions if not each[:8].isdigit()] == []
    assert revisions == sorted(revisions, reverse=True)


def test_migrations_import_no_application_code() -> None:
    imported = {
        name.partition(".")[0]
        for file in MIGRATIONS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _imported(node)
    }

    assert imported
    assert imported & OURS == set()


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case _:
            return []


async def test_constraints_refuse_what_no_code_should_write(database: Database) -> None:
    wrong = (
        "UPDATE verification SET status = 'lost' WHERE 1 = 1",
        "UPDATE verification SET checks = max_checks + 1 WHERE 1 = 1",
        "UPDATE verification SET status = 'approved' WHERE status = 'pending'",
        "UPDATE attempt SET status = 'sent' WHERE 1 = 1",
    )
    await a_verification(database, await a_caller(database))

    for statement in wrong:
        with pytest.raises(Exception, match=r"CHECK constraint|CheckViolation"):
            await _execute(database, statement)


async def _execute(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


async def test_a_database_that_is_away_is_told_in_one_word(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql+asyncpg://nobody@/none?host={tmp_path}&port=5432")

    with pytest.raises(DatabaseUnavailableError):
        await nowhere.ping()

    await nowhere.close()


async def test_32_writers_at_once_are_never_told_that_the_database_is_locked(database: Database) -> None:
    caller, table = await a_caller(database), table_of(Account)

    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute(table.update().where(table.c.id == caller.account_id).values(name="ACME"))

    await asyncio.gather(*(write() for _ in range(32)))
