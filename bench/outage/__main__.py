"""`python -m bench.outage`: a route goes silent in a simulation; the product's rules beside what others do."""

import argparse
import asyncio
import sys

from bench.outage.figures import STRATEGIES, mean, measure, table
from bench.outage.live import IN_TIME_S, hard, hard_ones, silent
from bench.outage.world import Drill

# What people usually need to read a code and type it: the product knows a proof at once, and only silence late.
TYPED_AFTER_S = 12.0


def main() -> None:
    """Run every strategy over the same seeds, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description="Simulate a silent outage.")
    parser.add_argument("--seeds", type=int, default=10, help="how many runs each figure is the mean of")
    parser.add_argument("--before", type=int, default=Drill().before, help="messages before the outage")
    parser.add_argument(
        "--product", action="store_true", help="against the product itself, over SQLite with a clock of the drill's own"
    )
    options = parser.parse_args()
    if options.seeds < 1 or options.before < 0:
        parser.error("--seeds: at least 1; --before: at least 0")
    if options.product:
        asyncio.run(_against_the_product(before=options.before, seeds=options.seeds))
        return
    for proved_s in (None, TYPED_AFTER_S):
        drill, rows = Drill(before=options.before, proved_s=proved_s), {}
        for name, make in STRATEGIES.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows[name] = measure(make, drill, seeds=range(options.seeds))
        print(f"{table(rows, drill)}\n")


async def _against_the_product(*, before: int, seeds: int) -> None:
    """Run the silent outage and the hard ones against the product, and print them beside the simulated switch."""
    plan = Drill(before=before)
    rows = {"product, adaptive": mean([await silent(plan, seed=seed) for seed in range(seeds)])}
    switch = "two carriers by weight, 300 s retry"
    rows[f"simulated: {switch}"] = measure(STRATEGIES[switch], plan, seeds=range(seeds))
    print(f"{table(rows, plan)}\n")
    for what in hard_ones():
        for per_s, during in ((0.2, 60), (1.0, 300), (10.0, 600)):
            found = await hard(what, per_s=per_s, during=during, seed=0)
            print(
                f"carrier a {found.what:<17} {found.per_s:>4g}/s, {found.messages} messages: "
                f"{found.in_time:.1%} in the outbox within {IN_TIME_S:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
