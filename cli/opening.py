"""What a command works with: the instance's database, and its keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from runtime.settings import Settings, read_settings
from runtime.setup import key_ring_of
from security.keyring import KeyRing
from store.engine import Database
from store.migrate import ensure_migrated


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The instance that the environment's settings name."""

    settings: Settings
    database: Database
    keys: KeyRing


@asynccontextmanager
async def opened() -> AsyncIterator[Instance]:
    """Open the instance of the environment's settings.

    Raises:
        NotMigratedError: its database does not have this version's schema.

    """
    settings = read_settings()
    database = Database(settings.database)
    try:
        await ensure_migrated(database)
        yield Instance(settings=settings, database=database, keys=key_ring_of(settings))
    finally:
        await database.close()
