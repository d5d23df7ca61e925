"""Migrations, run from code: bring a database to the newest schema, or say that it is not there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from store.engine import Database

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
        await connection.run_sync(_upgrade)
        await connection.commit()


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
