"""Routes whose conversion changes without a word, messages at an even pace, and outcomes that are known late.

Time is a number here: nothing waits, and a seed tells everything that happens.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRoute:
    """One route: what a message costs on it, and how many codes come back when it is well."""

    name: str
    price_micros: int
    rate: float


# The design's three routes; the best is also the cheapest, so that it is missed while it is away.
ROUTES = (
    SimulatedRoute(name="a", price_micros=40_000, rate=0.88),
    SimulatedRoute(name="b", price_micros=42_000, rate=0.85),
    SimulatedRoute(name="c", price_micros=44_000, rate=0.80),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Route `failing` drops to `dropped` for the middle part; outcomes are known `late_s` after the message.

    A code that comes back is known when it does, `proved_s` after the message; None: as late as the others.
    """

    before: int = 10_000
    during: int = 3_000
    after: int = 1_000
    per_s: float = 5.0
    late_s: float = 40.0
    proved_s: float | None = None
    failing: str = "a"
    dropped: float = 0.30

    def known_after_s(self, sent: "Sent") -> float:
        """Return how long after a message its outcome is known."""
        return self.proved_s if sent.is_proved and self.proved_s is not None else self.late_s

    def rate_of(self, route: SimulatedRoute, message: int) -> float:
        """Return the conversion of a route at a message."""
        is_down = self.before <= message < self.before + self.during
        return self.dropped if is_down and route.name == self.failing else route.rate


class Strategy(Protocol):
    """Chooses a route for each message and is told what became of it."""

    def pick(self, *, now_s: float) -> str:
        """Return the route for the next message."""
        ...

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Take in the outcome of an earlier message."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """One message: the route it took, and whether its code came back."""

    route: str
    is_proved: bool


def run(strategy: Strategy, drill: Drill, *, seed: int) -> list[Sent]:
    """Send all messages of a drill; return what became of each."""
    rng = random.Random(f"{seed}/world")
    routes: Mapping[str, SimulatedRoute] = {each.name: each for each in ROUTES}
    on_their_way: list[tuple[float, int]] = []
    sent: list[Sent] = []
    for message in range(drill.before + drill.during + drill.after):
        now_s = message / drill.per_s
        while on_their_way and on_their_way[0][0] <= now_s:
            _, earlier = heappop(on_their_way)
            outcome = sent[earlier]
            strategy.learn(outcome.route, is_proved=outcome.is_proved, sent_s=earlier / drill.per_s)
        name = strategy.pick(now_s=now_s)
        sent.append(Sent(name, rng.random() < drill.rate_of(routes[name], message)))
        heappush(on_their_way, (now_s + drill.known_after_s(sent[-1]), message))
    return sent
