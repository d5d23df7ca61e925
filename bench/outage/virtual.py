"""A clock that stands until it is moved, for SQLite's own functions too: the only thing that is faked.

The database judges time by `strftime(..., 'now', ...)` (`store/times.py`); it is given one that reads this clock.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from store.engine import Database

_BEGAN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_JULIAN_EPOCH = 2_440_587.5
_DAY_S = 86_400


class Clock:
    """Seconds since the drill began."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def read(self) -> float:
        """Return the seconds."""
        return self.now_s

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
