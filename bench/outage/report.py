"""The drills against the running product, printed beside what others do, and held against the bar."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.outage.figures import STRATEGIES, Figures, best, mean, measure, table
from bench.outage.live import HARD, HardFigures, hard, silent
from bench.outage.switch import Arrivals, by_weight
from bench.outage.world import Drill

# The bar (design): while a route is silently out, and after it; and while a carrier fails hard.
CONVERSION, BACK, COST, IN_TIME, FAIL_OVER_MS = 0.75, 0.7, 1.2, 0.99, 250.0
# Messages a second, and how many of them an outage lasts.
_PACES = ((0.2, 60), (1.0, 300), (10.0, 600))
_BESIDE = ("static order", "two carriers by weight, 300 s retry")
_SIMULATED = range(20)


def silent_outages(plan: Drill, *, seeds: Sequence[int]) -> bool:
    """Print the silent outage and one half as long; say whether the long one is as it must be."""
    kept = True
    for each in (plan, replace(plan, during=plan.during // 2)):
        runs, unauthorised = [], 0
        for seed in seeds:
            print(f"silent outage of {each.during} messages, seed {seed} ...", file=sys.stderr, flush=True)
            figures, sent = silent(each, seed=seed)
            runs.append(figures)
            unauthorised += sent
        of_product = mean(runs)
        rows = {"the product, mean of its runs": of_product}
        rows |= {f"simulated: {name}": measure(STRATEGIES[name], each, seeds=_SIMULATED) for name in _BESIDE}
        print(f"{table(rows | {'oracle': best(each)}, each)}")
        alone = ", ".join(f"{one.outage:.3f}" for one in runs)
        print(f"the product run by run: {alone}; {unauthorised} messages unauthorised\n", flush=True)
        kept = kept and unauthorised == 0 and (each is not plan or is_silent_kept(of_product))
    return kept


def hard_outages(*, seed: int) -> bool:
    """Print the hard outages; say whether all are as they must be."""
    print(
        f"{'carrier a':17}{'per s':>7}{'messages':>10}{'in 30 s':>9}{'unauthorised':>14}{'fail-over p95':>15}", end=""
    )
    print(f"{'switch: in 30 s':>18}{'300 s late or lost':>20}")
    kept = True
    for what in HARD:
        for per_s, during in _PACES:
            print(f"{what} at {per_s:g} a second ...", file=sys.stderr, flush=True)
            found = hard(what, per_s=per_s, during=during, seed=seed)
            print(_row(what, per_s, found, by_weight(what, per_s=per_s, during=during, seeds=_SIMULATED)), flush=True)
            kept = kept and is_hard_kept(found)
    return kept


def is_silent_kept(figures: Figures) -> bool:
    """Say whether a silent outage went as it must."""
    return figures.outage >= CONVERSION and figures.back >= BACK and figures.cost <= COST


def is_hard_kept(figures: HardFigures) -> bool:
    """Say whether a hard outage went as it must."""
    is_quick = figures.p95_ms is None or figures.p95_ms < FAIL_OVER_MS
    return figures.in_time >= IN_TIME and figures.unauthorised == 0 and is_quick


def _row(what: str, per_s: float, found: HardFigures, beside: Arrivals) -> str:
    p95 = "" if found.p95_ms is None else f"{found.p95_ms:.0f} ms"
    return (
        f"{what:17}{per_s:7g}{found.messages:10}{found.in_time:9.1%}{found.unauthorised:14}{p95:>15}"
        f"{beside.in_time:18.1%}{beside.late:20.1%}"
    )
