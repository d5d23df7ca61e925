"""Ways to choose a route: the product's own rules, and what the field does, to print beside them."""

import random
from collections import deque

from bench.outage.world import ROUTES
from domain.routing import Mode
from rules.routing.evidence import Evidence
from rules.routing.ranking import Entrant, rank


class Product:
    """The product's rules as they are: `rules/routing`, nothing of it written again here."""

    def __init__(self, seed: int, *, mode: Mode = Mode.ADAPTIVE) -> None:
        self._mode = mode
        self._rng = random.Random(f"{seed}/product")
        self._evidence = {each.name: Evidence() for each in ROUTES}
        self._learnt = 0

    def pick(self, *, now_s: float) -> str:
        """Return the route that ranks first."""
        del now_s
        entrants = [self._entrant(place) for place in range(len(ROUTES))]
        return rank(entrants, mode=self._mode, chance=self._rng)[0].entrant.id

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Count an outcome."""
        del sent_s
        self._learnt += 1
        self._evidence[route] = self._evidence[route].learnt(is_proved=is_proved, number=self._learnt)

    def _entrant(self, place: int) -> Entrant:
        route = ROUTES[place]
        known = self._evidence[route.name].aged(self._learnt)
        return Entrant(
            id=route.name,
            group=route.name,
            place=place,
            price_micros=route.price_micros,
            alpha=known.alpha,
            beta=known.beta,
        )


class Static:
    """Always the first route: what a table of routes without health does in a silent outage."""

    def pick(self, *, now_s: float) -> str:
        """Return the first route."""
        del now_s
        return ROUTES[0].name

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Learn nothing."""


class StationaryThompson:
    """Thompson sampling that forgets nothing: a long good time outweighs a bad present."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}/stationary")
        self._counts = {each.name: [1, 1] for each in ROUTES}

    def pick(self, *, now_s: float) -> str:
        """Return the route with the highest draw."""
        del now_s
        drawn = {name: self._rng.betavariate(*counts) for name, counts in self._counts.items()}
        return max(drawn, key=lambda name: drawn[name])

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Count an outcome for ever."""
        del sent_s
        self._counts[route][0 if is_proved else 1] += 1


class LastFifty:
    """A breaker on conversion: a route whose last fifty convert under a half is left alone for a minute."""

    def __init__(self) -> None:
        self._last: dict[str, deque[bool]] = {each.name: deque(maxlen=50) for each in ROUTES}
        self._until_s = dict.fromkeys(self._last, 0.0)

    def pick(self, *, now_s: float) -> str:
        """Return the first route that is not left alone."""
        return next((name for name, until in self._until_s.items() if until <= now_s), ROUTES[0].name)

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Count an outcome among the last fifty."""
        last = self._last[route]
        last.append(is_proved)
        if len(last) == last.maxlen and sum(last) < len(last) / 2:
            self._until_s[route] = sent_s + 60.0 + 40.0
            last.clear()


class WeightedSwitch:
    """Two carriers by weight, as GOV.UK Notify has them: ten points move, at most once a minute, from one that is bad.

    "Bad" is what such a switch can see: over a tenth of the last ten minutes' messages without a receipt, of which a
    lost message has none. A retry after 300 s, which only a refusal starts, is part of the
    hard outages alone (`switch.py`).
    """

    STEP, EVERY_S, LOOKS_BACK_S, BAD = 10, 60.0, 600.0, 0.25

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}/switch")
        self._weight = 50
        self._seen: deque[tuple[float, str, bool]] = deque()
        self._moved_s = 0.0

    def pick(self, *, now_s: float) -> str:
        """Return one of the two by weight."""
        self._move(now_s)
        return ROUTES[0].name if self._rng.random() * 100 < self._weight else ROUTES[1].name

    def learn(self, route: str, *, is_proved: bool, sent_s: float) -> None:
        """Remember an outcome of the last minutes."""
        self._seen.append((sent_s, route, is_proved))

    def refused(self, *, now_s: float) -> None:
        """Move away from the first carrier, which refused a message, once a minute at most."""
        if now_s - self._moved_s >= self.EVERY_S:
            self._weight, self._moved_s = max(self._weight - self.STEP, 0), now_s

    def _move(self, now_s: float) -> None:
        while self._seen and self._seen[0][0] < now_s - self.LOOKS_BACK_S:
            self._seen.popleft()
        if now_s - self._moved_s < self.EVERY_S:
            return
        for route, step in ((ROUTES[0].name, -self.STEP), (ROUTES[1].name, self.STEP)):
            mine = [is_proved for _, name, is_proved in self._seen if name == route]
            if mine and 1 - sum(mine) / len(mine) > self.BAD:
                self._weight = min(max(self._weight + step, 0), 100)
                self._moved_s = now_s
                return
