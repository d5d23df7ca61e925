"""The number that moves with every change to who may do what: keys, accounts, allowlists, tokens, operators.

`bump` belongs into the transaction of each such change. The row is changed after all others but the audit chain's head.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import AccessVersion, table_of

_version = table_of(AccessVersion)
_BUMP = update(_version).values(version=_version.c.version + 1)
_READ = select(_version.c.version)


async def bump(connection: AsyncConnection) -> None:
    """Have every process forget, within a second of this transaction's end, whom it knew."""
    await connection.execute(_BUMP)


async def read(connection: AsyncConnection) -> int:
    """Return the number as it was last committed."""
    return int((await connection.execute(_READ)).scalar_one())
