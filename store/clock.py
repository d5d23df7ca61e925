"""The database's clock, for who compares moments outside of a statement."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.times import now

_READ = select(now().label("read_at"))


async def read_clock(connection: AsyncConnection) -> datetime:
    """Return what time it is by the database."""
    moment: datetime = (await connection.execute(_READ)).scalar_one()
    return moment
