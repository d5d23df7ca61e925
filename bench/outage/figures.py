"""What a drill's messages add up to: the figures that are printed, and those that a run is judged by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.outage.strategies import LastFifty, Product, Static, StationaryThompson, WeightedSwitch
from bench.outage.world import ROUTES, Drill, Sent, Strategy, run

# How many messages in a row tell where the traffic goes.
WINDOW = 200
_PRICES = {each.name: each.price_micros for each in ROUTES}
STRATEGIES: dict[str, Callable[[int], Strategy]] = {
    "product, adaptive": Product,
    "static order": lambda _: Static(),
    "breaker on the last 50": lambda _: LastFifty(),
    "stationary Thompson": StationaryThompson,
    "two carriers by weight, 300 s retry": WeightedSwitch,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Shares from 0 to 1. `healthy` is before the outage; `cost` is beside the cheapest route that stayed healthy.

    `back` is the most that the recovered route carried of any window after recovery. `reached` is the share of runs in
    which that was seven tenths, `reached_at` the message that ended the first such window; None where there was none.
    """

    healthy: float
    outage: float
    cost: float
    back: float
    reached: float
    reached_at: float | None


def oracle(drill: Drill) -> float:
    """Return the best that can be had during the outage: the best of the routes that stayed healthy."""
    return max(each.rate for each in ROUTES if each.name != drill.failing)


def best(drill: Drill) -> Figures:
    """Return the figures of who knows at once what each route converts, and takes the best that is cheapest."""
    return Figures(
        healthy=max(each.rate for each in ROUTES),
        outage=oracle(drill),
        cost=1.0,
        back=1.0,
        reached=1.0,
        reached_at=WINDOW,
    )


def measure(make: Callable[[int], Strategy], drill: Drill, *, seeds: Sequence[int]) -> Figures:
    """Return the mean figures of a strategy over several seeds; `reached_at` is the median of the runs that did."""
    all_ = [figures_of(run(make(seed), drill, seed=seed), drill) for seed in seeds]
    return mean(all_)


def mean(all_: Sequence[Figures]) -> Figures:
    """Return the mean figures of several runs."""
    ends = [each.reached_at for each in all_ if each.reached_at is not None]
    return Figures(
        healthy=fmean(each.healthy for each in all_),
        outage=fmean(each.outage for each in all_),
        cost=fmean(each.cost for each in all_),
        back=fmean(each.back for each in all_),
        reached=len(ends) / len(all_),
        reached_at=median(ends) if ends else None,
    )


def table(rows: Mapping[str, Figures], drill: Drill) -> str:
    """Return the figures as they are printed."""
    proofs = "" if drill.proved_s is None else f", proofs {drill.proved_s:g} s"
    told = (
        f"{drill.before} messages healthy, {drill.during} in a silent outage of route {drill.failing} (converts "
        f"{drill.dropped:.2f}), {drill.after} after it; {drill.per_s:g} a second, known {drill.late_s:g} s late"
        f"{proofs}; an oracle has {oracle(drill):.2f} during it"
    )
    lines = [told, f"{'':36}{'healthy':>9}{'outage':>9}{'cost':>8}{'back':>8}   70 % back in"]
    for name, each in rows.items():
        shares = f"{each.healthy:9.3f}{each.outage:9.3f}{each.cost:8.3f}{each.back:8.0%}"
        when = "" if each.reached_at is None else f", after {each.reached_at:.0f} messages"
        lines.append(f"{name:36}{shares}   {each.reached:.0%} of runs{when}")
    return "\n".join(lines)


def figures_of(sent: Sequence[Sent], drill: Drill) -> Figures:
    """Return the figures of one run."""
    during = sent[drill.before : drill.before + drill.during]
    after = [each.route == drill.failing for each in sent[drill.before + drill.during :]]
    shares = [sum(after[end - WINDOW : end]) / WINDOW for end in range(WINDOW, len(after) + 1)]
    healthy_price = min(each.price_micros for each in ROUTES if each.name != drill.failing)
    reached_at = next((end + WINDOW for end, share in enumerate(shares) if share >= 0.7), None)
    return Figures(
        healthy=fmean(each.is_proved for each in sent[: drill.before]),
        outage=fmean(each.is_proved for each in during),
        cost=fmean(_PRICES[each.route] for each in during) / healthy_price,
        back=max(shares, default=0.0),
        reached=float(reached_at is not None),
        reached_at=reached_at,
    )
