"""`python -m bench.outage`: a route goes silent in a simulation; with `--product`, against the running product."""

import argparse
import sys

from bench.outage.figures import STRATEGIES, measure, table
from bench.outage.report import hard_outages, silent_outages
from bench.outage.world import Drill

# What people usually need to read a code and type it: the product knows a proof at once, and only silence late.
TYPED_AFTER_S = 12.0
# A run against the product takes minutes, one of the simulation a second.
_SEEDS, _SEEDS_OF_PRODUCT = 10, 3
# Of the product's messages before the outage: enough to know its routes and how long their receipts take.
_BEFORE_OF_PRODUCT = 600


def main() -> None:
    """Run the simulations, or the drills; of the drills, exit with 1 when the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description="Drill outages of routes.")
    parser.add_argument("--seeds", type=int, help="how many runs each figure is the mean of (10; of the product 3)")
    parser.add_argument("--before", type=int, help="messages before the outage (10000; of the product 600)")
    parser.add_argument(
        "--product", action="store_true", help="against the running product, on Temporal with time that is skipped"
    )
    options = parser.parse_args()
    seeds = options.seeds if options.seeds is not None else _SEEDS_OF_PRODUCT if options.product else _SEEDS
    before = options.before if options.before is not None else _BEFORE_OF_PRODUCT if options.product else Drill().before
    if seeds < 1 or before < 0 or (options.product and before < 1):
        parser.error("--seeds: at least 1; --before: at least 0, of the product 1")
    if options.product:
        # Without bytecode Temporal's sandbox compiles the workflow's source again for each verification.
        sys.dont_write_bytecode = False
        kept = [hard_outages(seed=0), silent_outages(Drill(before=before), seeds=range(seeds))]
        sys.exit(0 if all(kept) else 1)
    _simulate(before=before, seeds=seeds)


def _simulate(*, before: int, seeds: int) -> None:
    for proved_s in (None, TYPED_AFTER_S):
        drill, rows = Drill(before=before, proved_s=proved_s), {}
        for name, make in STRATEGIES.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows[name] = measure(make, drill, seeds=range(seeds))
        print(f"{table(rows, drill)}\n")


if __name__ == "__main__":
    main()
