"""Knowing that the product has nothing under way: no connection to the database is in use, or about to be."""

import asyncio
from typing import Any

from sqlalchemy import event

from store.engine import Database

# Between two transactions of one piece of work, the loop turns a few times at most.
_TURNS = 5


# It reads twice a second and keeps its connection for good.
_KEEPS_ITS_OWN = "access watch"


class Calm:
    """Knows the connections that are in use."""

    def __init__(self, database: Database) -> None:
        self._in_use: set[object] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        engine = database.engine.sync_engine
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "checkin", self._given_back)

    async def comes(self) -> None:
        """Wait until nothing is under way, and nothing begins by itself."""
        turns = 0
        while turns < _TURNS:
            await self._idle.wait()
            await asyncio.sleep(0)
            turns = turns + 1 if self._idle.is_set() else 0

    def _taken(self, _: Any, record: object, _proxy: Any) -> None:
        task = asyncio.current_task()
        if task is None or task.get_name() != _KEEPS_ITS_OWN:
            self._in_use.add(record)
            self._idle.clear()

    def _given_back(self, _: Any, record: object) -> None:
        self._in_use.discard(record)
        if not self._in_use:
            self._idle.set()
