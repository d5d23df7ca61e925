"""The workers of a region hold the routing leases of the numbers whose carriers they stand near, together.

An attempt is begun by one worker at most, so that two workers of a region may share a lease; what a lease guards
against is a message that leaves with a number after it was taken away. A region whose workers are all gone holds none
when its leases have run out, and is passed over.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from domain.errors import DatabaseUnavailableError
from rules.routing.number_life import ROUTING_LEASE_S
from store.engine import Database
from store.routing_leases import hold_region

_LOOK_EVERY_S = 5.0
_LOOK_AGAIN_S = 1.0


class LeaseKeeper:
    """Takes and renews the leases of some regions."""

    def __init__(self, *, database: Database, regions: Sequence[str]) -> None:
        self._database = database
        self._regions = regions

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the leases for as long as the block lasts, and let them run out after it."""
        keeping = asyncio.create_task(self._run(), name="routing leases")
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def keep(self) -> int:
        """Take what is free and renew what is half over; return how many."""
        held = 0
        for region in self._regions:
            async with self._database.statement() as connection:
                held += await hold_region(connection, region, lasts_s=ROUTING_LEASE_S)
        return held

    async def _run(self) -> None:
        while True:
            try:
                await self.keep()
            except DatabaseUnavailableError:
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                await asyncio.sleep(_LOOK_EVERY_S)
