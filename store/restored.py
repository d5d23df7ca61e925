"""After a restore: transaction ids belong to a PostgreSQL cluster, and a dump brings those of another one.

Events from a higher future would be read by nobody until this cluster's transactions have caught up, and the new ones
would be read before them. So the ids of events and of endpoints' cursors are moved far below, in their order.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# More than any transaction id, and no id of a real one is negative.
_FAR_BELOW = 2**62
_MOVE_EVENTS = text(
    f"UPDATE event SET transaction = transaction - {_FAR_BELOW} "  # noqa: S608 - a constant of ours
    "WHERE transaction > pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
)
_MOVE_CURSORS = text(
    f"UPDATE webhook SET cursor_transaction = cursor_transaction - {_FAR_BELOW} "  # noqa: S608 - as above
    "WHERE cursor_transaction > pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
)


async def make_restored_events_readable(connection: AsyncConnection) -> None:
    """Move what another cluster numbered before everything that this one will; on SQLite there is nothing to move."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_MOVE_EVENTS)
        await connection.execute(_MOVE_CURSORS)
