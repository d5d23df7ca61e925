"""When something was away on purpose: only then, and a little longer, may an answer be a 503, or not come."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# How long after a part is back an answer may still be that it is away.
GRACE_S = 10.0


@dataclass(slots=True, kw_only=True)
class Outage:
    """One part's absence, in Unix seconds; `until` is None while it lasts."""

    what: str
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
    def of(self, what: str) -> Iterator[Outage]:
        """Note that a part is away for the length of a block."""
        outage = Outage(what=what, since=time.time())
        self.all.append(outage)
        try:
            yield outage
        finally:
            outage.until = time.time()
