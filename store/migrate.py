"""Migrations, run from code: bring a database to the newest schema, or say that it is not there."""

from pathlib import Path
from uuid import UUID

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import INSTANCE_CHAIN, SYSTEM, AuditEntry
from domain.ids import account_id
from store import audit
from store.audit_reading import chains, chains_of_accounts, latest_details
from store.engine import Database
from store.restored import make_restored_events_readable

_MIGRATED, _BEGUN, _SCHEMA = "schema.migrated", "audit.begun", "database:schema"
_FOLDER = Path(__file__).parent / "migrations"


class NotMigratedError(RuntimeError):
    """The database's schema is not the one this version works with."""


def head() -> str:
    """Return the newest revision."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 - there is at least the first one, and a test that there is one head
    return revision


async def migrate(database: Database) -> None:
    """Bring a database to the newest schema; one that has it is left as it is.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or is none.

    """
    async with database.connecting() as connection:
        before = await connection.run_sync(_revision)
        await connection.rollback()
        await connection.run_sync(_upgrade)
        await make_restored_events_readable(connection)
        await connection.commit()
    await _record(database, may_begin=before not in {None, _HEAD})


async def ensure_migrated(database: Database) -> None:
    """Raise `NotMigratedError` while the database's schema is older than this version.

    A newer one, which this version does not know, is fine: migrations expand first and contract a version later.
    """
    async with database.reading() as connection:
        found = None
        if await connection.run_sync(_was_ever_migrated):
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    if found is None or (found in _KNOWN and found != _HEAD):
        raise NotMigratedError(f"the database is at revision {found}, this version needs {_HEAD}")


def _was_ever_migrated(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")


async def _record(database: Database, *, may_begin: bool) -> None:
    """Record the revision, unless it is: one whose process died before it got here is recorded by the next.

    An upgrade also begins the chains of accounts from before the trail. Nothing else may: it would heal a trail that
    somebody emptied.
    """
    async with database.transaction() as connection:
        before = await latest_details(connection, chain=INSTANCE_CHAIN, action=_MIGRATED, subject=_SCHEMA)
        if before.get("after") != _HEAD:
            entry = AuditEntry(
                account_id=None,
                environment=None,
                actor=SYSTEM,
                action=_MIGRATED,
                subject=_SCHEMA,
                details={"before": before.get("after"), "after": _HEAD},
            )
            if may_begin:
                await _begin_chains(connection)
            await audit.record(connection, entry)


async def _begin_chains(connection: AsyncConnection) -> None:
    there = set(await chains(connection))
    for chain in sorted(set(await chains_of_accounts(connection)) - there):
        account = UUID(hex=chain)
        begun = AuditEntry(
            account_id=account, environment=None, actor=SYSTEM, action=_BEGUN, subject=account_id(account)
        )
        await audit.record(connection, begun)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


_HEAD = head()
_KNOWN = frozenset(each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions())
