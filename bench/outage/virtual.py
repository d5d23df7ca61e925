"""A clock that runs as all clocks do, and can be moved ahead: the only thing that the drill fakes.

Three clocks are one here: the event loop's, by which the product's loops sleep; the database's, which judges time by
`strftime(..., 'now', ...)` (`store/times.py`); and that of Temporal's test server, which leads (`skipping.py`).
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, TypeVarTuple, Unpack

from sqlalchemy import event

from store.engine import Database

_BEGAN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_JULIAN_EPOCH = 2_440_587.5
_DAY_S = 86_400
_Arguments = TypeVarTuple("_Arguments")


class Clock:
    """Seconds since the drill began: those that passed, and those that were skipped."""

    def __init__(self, *, passed: Callable[[], float] = time.monotonic) -> None:
        self._passed = passed
        self._behind_s = -passed()

    @property
    def now_s(self) -> float:
        """Return the seconds."""
        return self._passed() + self._behind_s

    def move_to(self, now_s: float) -> None:
        """Skip to a moment; one that is past already changes nothing."""
        self._behind_s += max(0.0, now_s - self.now_s)

    def strftime(self, form: str, *modifiers: str) -> str:
        """Answer as SQLite's function does, for the forms that the store uses."""
        moment = _BEGAN + timedelta(seconds=self.now_s)
        for each in modifiers:
            if each != "now":
                moment += timedelta(seconds=float(each.removesuffix(" seconds")))
        if form == "%J":
            return repr(_JULIAN_EPOCH + moment.timestamp() / _DAY_S)
        # Three digits of a second, as SQLite has them.
        return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"

    def rule(self, database: Database) -> None:
        """Have every connection of a database judge time by this clock."""

        @event.listens_for(database.engine.sync_engine, "connect")
        def set_clock(connection: Any, _: Any) -> None:
            connection.create_function("strftime", -1, self.strftime)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that lives by a clock, and knows when something in it is due next."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._due: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()

    def time(self) -> float:
        """Return the clock's seconds."""
        return self._clock.now_s

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have something called at a moment."""
        handle = super().call_at(when, callback, *args, context=context)
        heappush(self._due, (when, next(self._order), handle))
        return handle

    def next_due(self) -> float:
        """Return when the next call is due that lies ahead; infinity when there is none."""
        now_s = self.time()
        while self._due and (self._due[0][0] <= now_s or self._due[0][2].cancelled()):
            heappop(self._due)
        return self._due[0][0] if self._due else inf
