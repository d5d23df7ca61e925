"""Two carriers by weight in a hard outage of one, simulated: what stands beside the product in its table.

A refused message is handed over again at once, to a carrier by weight, and then every 300 s; one that was accepted and
lost is never sent again. It is kinder than the field: what is lost is known at once, and a refusal moves the weights.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from statistics import fmean

from bench.outage.strategies import WeightedSwitch
from bench.outage.world import ROUTES

IN_TIME_S, RETRY_S, HANGS_S = 30.0, 300.0, 30.0
# A code is worth nothing after that; nobody looks whether it still arrives.
_LOOKS_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Of the messages asked for in the outage: how many arrived in time, and how many 300 s late or never."""

    in_time: float
    late: float


def by_weight(what: str, *, per_s: float, during: int, seeds: Sequence[int]) -> Arrivals:
    """Return the mean over several runs of an outage that begins after a healthy time as long."""
    waits = [wait for seed in seeds for wait in _waits(what, per_s=per_s, during=during, seed=seed)]
    return Arrivals(
        in_time=fmean(each is not None and each < IN_TIME_S for each in waits),
        late=fmean(each is None or each >= RETRY_S for each in waits),
    )


def _waits(what: str, *, per_s: float, during: int, seed: int) -> list[float | None]:
    """Return how long each message of the outage took to arrive; None for one that never did."""
    switch, order = WeightedSwitch(seed), count()
    began_s = during / per_s
    chance = random.Random(f"{seed}/handsets")
    waits: list[float | None] = [None] * (2 * during)
    due = [(number / per_s, next(order), number, 0) for number in range(2 * during)]
    while due and due[0][0] < 2 * began_s + _LOOKS_S:
        now_s, _, number, tried = heappop(due)
        route = switch.pick(now_s=now_s)
        is_down = route == ROUTES[0].name and began_s <= now_s
        if what == "accepts and loses" or not is_down:
            switch.learn(route, is_proved=not is_down and chance.random() < 0.98, sent_s=now_s)
            waits[number] = None if is_down else now_s - number / per_s
            continue
        known_s = now_s + (HANGS_S if what == "hangs" else 0.0)
        switch.refused(now_s=now_s)
        heappush(due, (known_s + (RETRY_S if tried else 0.0), next(order), number, tried + 1))
    return waits[during:]
