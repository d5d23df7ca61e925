"""Whether the database was written with the master key that is there: another one must not go unnoticed."""

from security.columns import key_id_of
from security.keyring import KeyRing
from store.engine import Database
from store.verifications import newest_sealed_number


class WrongKeyError(RuntimeError):
    """The master key is not the one that this database was written with."""


async def ensure_same_key(database: Database, keys: KeyRing) -> None:
    """Raise `WrongKeyError` when the newest number was encrypted with another master key."""
    async with database.reading() as connection:
        sealed = await newest_sealed_number(connection)
    if sealed is not None and key_id_of(sealed) != keys.kid:
        raise WrongKeyError(
            f"The database was written with master key {key_id_of(sealed)}, and the one here is {keys.kid}. Bring the "
            "right one back (COUNTERSIGN_MASTER_KEY, or master.key in the state directory): without it the numbers in "
            "the database cannot be read, and no API key works."
        )
