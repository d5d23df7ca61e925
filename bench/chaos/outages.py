"""When an API process was away on purpose: only then, and a little longer, may an answer not come."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# How long after a process is back its clients may still find the dead one's connections.
GRACE_S = 10.0


@dataclass(slots=True, kw_only=True)
class Outage:
    """One absence, in Unix seconds; `until` is None while it lasts."""

    since: float
    until: float | None = None

    def overlaps(self, since: float, until: float) -> bool:
        """Say whether it touches a span of time."""
        return self.since <= until and (self.until is None or since <= self.until + GRACE_S)


class Outages:
    """All absences of one installation."""

    def __init__(self) -> None:
        self.all: list[Outage] = []

    @contextmanager
    def of_api(self) -> Iterator[None]:
        """Note that an API process is away for the length of a block."""
        outage = Outage(since=time.time())
        self.all.append(outage)
        try:
            yield
        finally:
            outage.until = time.time()
