"""`python -m bench.burst`: a thousand starts at once where ten message parts a second may leave; how they drain."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from bench.burst.drill import Burst, burst
from bench.load.__main__ import clear_environment


def main(arguments: Sequence[str]) -> None:
    """Run the burst on each database and print what became of it; exit with 1 where a promise was broken."""
    plain = Burst()
    parser = argparse.ArgumentParser(prog="python -m bench.burst", description=__doc__)
    parser.add_argument("--messages", type=int, default=plain.messages)
    parser.add_argument("--parts-per-s", type=float, default=plain.parts_per_s, help="of the carrier's connection")
    parser.add_argument("--numbers", type=int, default=plain.numbers, help="that share the connection")
    parser.add_argument("--each", type=float, default=None, help="parts a second of each number; none by default")
    parser.add_argument("--ttl", type=int, nargs=2, default=plain.ttl_s, metavar=("FROM", "TO"), help="seconds")
    parser.add_argument("--databases", default="postgresql", help="sqlite, postgresql or both")
    parser.add_argument("--seed", type=int, default=plain.seed, help="of how long which code lives")
    options = parser.parse_args(arguments)
    plan = Burst(
        messages=options.messages,
        parts_per_s=options.parts_per_s,
        numbers=options.numbers,
        each_parts_per_s=options.each,
        ttl_s=(options.ttl[0], options.ttl[1]),
        seed=options.seed,
    )
    is_kept = True
    with TemporaryDirectory(prefix="countersign-burst-") as bytecode:
        clear_environment(bytecode)
        for kind in options.databases.split(","):
            report = asyncio.run(burst(kind, plan))
            print(f"{kind}: {report}", flush=True)
            is_kept = is_kept and report.is_kept
    sys.exit(0 if is_kept else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
