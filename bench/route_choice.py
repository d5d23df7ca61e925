"""`python -m bench.route_choice`: how long one choice of a route takes, beside sorting as many prices alone."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from domain.routing import Mode
from domain.statuses import Channel
from rules.routing.candidates import Authorisation, Candidate, Situation
from rules.routing.catalog import Route, SenderType
from rules.routing.evidence import Evidence
from rules.routing.explanation import Before, choose, to_text

CANDIDATES = 500
TARGET_P99_MS = 5.0
_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_SITUATION = Situation(
    country="GB",
    now=_NOW,
    is_country_permitted=True,
    sender_types=frozenset({SenderType.LONG_CODE}),
    channels=frozenset(Channel),
    carriers=frozenset(f"carrier{at}" for at in range(CANDIDATES)),
    regions=frozenset({"eu"}),
    ceiling_micros=100_000,
)


def candidates(count: int, *, seed: int = 1) -> list[Candidate]:
    """Return so many candidates, each a group of its own, which is the most work; one in ten may not be taken."""
    rng = random.Random(seed)
    return [
        Candidate(
            route=Route(
                pool_country="GB",
                carrier=f"carrier{at}",
                region="eu",
                sender=f"+44770090{at:04}",
                sender_type=SenderType.LONG_CODE,
                receipt_wait_s=8,
            ),
            place=at,
            price_micros=rng.randrange(30_000, 60_000),
            authorisation=None if at % 10 == 0 else Authorisation(since=_NOW),
            evidence=Evidence(proved=rng.uniform(0, 80), unproved=rng.uniform(0, 20)),
        )
        for at in range(count)
    ]


def percentile_ms(what: Callable[[int], object], *, rounds: int, share: float) -> float:
    """Return how long something takes for this share of its rounds, in milliseconds of this process's own time."""
    took = []
    for at in range(rounds):
        began = time.process_time_ns()
        what(at)
        took.append((time.process_time_ns() - began) / 1e6)
    return sorted(took)[min(int(rounds * share), rounds - 1)]


def main() -> None:
    """Measure, and print both."""
    routes, before = candidates(CANDIDATES), Before(tries={}, recipient="f" * 32)
    prices = [each.price_micros for each in routes]

    def one(seed: int) -> object:
        return choose(
            routes, _SITUATION, before, mode=Mode.ADAPTIVE, seed=seed, chance=random.Random(seed)
        ).explanation.taken

    for name, what in (("choice", one), ("sorting alone", lambda _: sorted(prices))):
        figures = [percentile_ms(what, rounds=1_000, share=share) for share in (0.5, 0.99)]
        print(f"{name:14} of {CANDIDATES}: p50 {figures[0]:.3f} ms, p99 {figures[1]:.3f} ms")
    for count in (20, CANDIDATES):
        some = candidates(count)
        made = choose(some, _SITUATION, before, mode=Mode.ADAPTIVE, seed=1, chance=random.Random(1)).explanation
        print(f"explanation of {count} candidates: {len(to_text(made)) / 1000:.1f} kB")
    print(f"target: p99 at most {TARGET_P99_MS:g} ms")


if __name__ == "__main__":
    main()
