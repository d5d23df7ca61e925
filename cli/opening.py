"""What a command works with: the instance's database, and its keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cli.installation import ensure_installed
from runtime.key_settings import key_encryption
from runtime.settings import Settings, read_settings
from security.keyring import KeyRing
from services.keys import open_keys
from store.engine import Database

# Who the audit trail says it was: whoever may run commands on the machine.
ACTOR = "operator:cli"


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
        NoInstallationError: there is none.
        NotMigratedError: its database does not have this version's schema.
        BadKeyError, MissingKeyError, WrongKeyError: the key-encryption key is not there, or not this database's.

    """
    settings = read_settings()
    ensure_installed(settings)
    database = Database(settings.database)
    try:
        keys = await open_keys(database, key_encryption(settings))
        yield Instance(settings=settings, database=database, keys=keys)
    finally:
        await database.close()
