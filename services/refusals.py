"""What is refused is recorded after the answer: counted in memory, written together, and never in anybody's way.

A refusal rolls its transaction back, so its entry is written in one of its own. The first of a kind is written at once;
the same again within its window is counted, and written as one entry with the count when the window is over. So an
attack costs one entry per kind and window, and a bounded amount of memory.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import structlog

from domain.audit import SYSTEM, AuditEntry
from domain.errors import DatabaseUnavailableError
from store import audit
from store.engine import Database

MINUTE_S, HOUR_S = 60.0, 3600.0
# So many different refusals are told apart at once; further ones are counted by their action alone.
_MOST = 1_000
_AGAIN_S = 1.0
_log = structlog.get_logger()


@dataclass(slots=True)
class _Window:
    """One kind of refusal: what its entry says, how many are not written yet, and when that is to be done."""

    entry: AuditEntry
    length_s: float
    due_at: float
    unwritten: int = 1


class Refusals:
    """Takes note of refusals. What is not written when the database closes is written then."""

    def __init__(self, database: Database, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._most = most
        self._clock = clock
        self._windows: dict[Hashable, _Window] = {}
        self._writing: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._is_ending = False
        database.before_close(self.drain)

    def note(self, entry: AuditEntry, *, window_s: float) -> None:
        """Count one refusal. Returns at once, and never fails."""
        key = _kind_of(entry)
        if key not in self._windows and len(self._windows) >= self._most:
            entry = AuditEntry(account_id=None, environment=None, actor=SYSTEM, action=entry.action, subject=None)
            key = _kind_of(entry)
        if (window := self._windows.get(key)) is not None:
            window.unwritten += 1
            return
        self._windows[key] = _Window(entry, window_s, self._clock())
        self._news.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_while_there_is_any())

    async def write_due(self) -> None:
        """Write what is due: of each kind the first, and later the rest of a window that is over."""
        async with self._turn:
            for key, window in list(self._windows.items()):
                if window.due_at > self._clock():
                    continue
                if window.unwritten:
                    await self._write(window)
                    window.due_at = self._clock() + window.length_s
                else:
                    del self._windows[key]

    async def drain(self) -> None:
        """Write everything that is not written, as far as the database lets us; forget all windows."""
        if self._writing is not None:
            # Not canceled: an entry that is just being written is written once, or not at all.
            self._is_ending = True
            self._news.set()
            await self._writing
        try:
            for window in self._windows.values():
                if window.unwritten:
                    await self._write(window)
        except DatabaseUnavailableError:
            _log.warning("refusals_not_recorded", lost=sum(each.unwritten for each in self._windows.values()))
        self._windows.clear()

    async def _write(self, window: _Window) -> None:
        count = window.unwritten
        entry = replace(window.entry, details={**window.entry.details, "count": count})
        async with self._database.transaction() as connection:
            await audit.record(connection, entry)
        window.unwritten -= count

    async def _write_while_there_is_any(self) -> None:
        while self._windows and not self._is_ending:
            self._news.clear()
            try:
                await self.write_due()
            except DatabaseUnavailableError:
                # What is counted is kept, and tried again.
                await self._news_within(_AGAIN_S)
                continue
            if self._windows and not self._is_ending:
                wait_s = max(0.0, min(each.due_at for each in self._windows.values()) - self._clock())
                await self._news_within(wait_s)

    async def _news_within(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return


def _kind_of(entry: AuditEntry) -> Hashable:
    details = tuple(sorted(entry.details.items()))
    return entry.account_id, entry.environment, entry.actor, entry.action, entry.subject, details
