"""Whether what this process remembers of callers still holds: one number in the database, read four times a second.

Whoever changes a key, an account or an allowlist moves the number in the same transaction. A process that cannot read
it for a second trusts nothing that it remembers, so a change takes effect within a second everywhere, or sooner.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import DatabaseUnavailableError
from store import access_version
from store.engine import Database

POLL_S = 0.25
# Counted from before the last look began: what had been changed by then was seen.
TRUSTED_S = 1.0
_log = structlog.get_logger()


class AccessWatch:
    """Looks at the number, and has what is remembered forgotten when it moved."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._version: int | None = None
        self._looked_at = float("-inf")
        self._forget: list[Callable[[], None]] = []
        self.generation = 0

    @property
    def is_trusted(self) -> bool:
        """Say whether what was remembered in this generation may be relied on now."""
        return self._clock() - self._looked_at <= TRUSTED_S

    def on_change(self, forget: Callable[[], None]) -> None:
        """Have something called whenever what is remembered holds no longer."""
        self._forget.append(forget)

    def moved(self) -> None:
        """Forget at once: this process has just changed who may do what. Called after the transaction has ended."""
        self.generation += 1
        for forget in self._forget:
            forget()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch for as long as the block lasts."""
        task = asyncio.create_task(self._watch(), name="access watch")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        was_away = False
        while True:
            try:
                # A connection of its own, so that no crowd at the pool's door makes every request look callers up.
                async with self._database.reading() as connection:
                    while True:
                        await self._look(connection)
                        was_away = False
                        await asyncio.sleep(POLL_S)
            except DatabaseUnavailableError:
                if not was_away:
                    _log.warning("access_version_unreadable")
                was_away = True
            await asyncio.sleep(POLL_S)

    async def _look(self, connection: AsyncConnection) -> None:
        began_at = self._clock()
        version = await access_version.read(connection)
        if version != self._version:
            self._version = version
            self.moved()
        self._looked_at = began_at
