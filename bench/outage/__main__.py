"""`python -m bench.outage`: a route goes silent in a simulation; the product's rules beside what others do."""

import argparse
import sys

from bench.outage.figures import STRATEGIES, measure, table
from bench.outage.world import Drill

# What people usually need to read a code and type it: the product knows a proof at once, and only silence late.
TYPED_AFTER_S = 12.0


def main() -> None:
    """Run every strategy over the same seeds, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description="Simulate a silent outage.")
    parser.add_argument("--seeds", type=int, default=10, help="how many runs each figure is the mean of")
    parser.add_argument("--before", type=int, default=Drill().before, help="messages before the outage")
    options = parser.parse_args()
    if options.seeds < 1 or options.before < 0:
        parser.error("--seeds: at least 1; --before: at least 0")
    for proved_s in (None, TYPED_AFTER_S):
        drill, rows = Drill(before=options.before, proved_s=proved_s), {}
        for name, make in STRATEGIES.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows[name] = measure(make, drill, seeds=range(options.seeds))
        print(f"{table(rows, drill)}\n")


if __name__ == "__main__":
    main()
