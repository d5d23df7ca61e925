"""`python -m bench.canary`: run verifications, then look for their numbers and codes in everything that was written."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import product

from bench.canary.drill import canaries
from bench.chaos.installation import installation
from bench.chaos.places import KINDS
from runtime.temporal_settings import PayloadEncryption

_MODES = (PayloadEncryption.STRICT, PayloadEncryption.OFF)


def main() -> int:
    """Run on each database with payloads sealed and plain; return 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.canary", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="verifications in each run")
    parser.add_argument("--databases", default=",".join(KINDS), help="sqlite, postgresql or both")
    parser.add_argument("--encryption", default=",".join(_MODES), help="strict, off or both")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    options = parser.parse_args()
    kinds, modes = options.databases.split(","), options.encryption.split(",")
    if unknown := [*(set(kinds) - set(KINDS)), *(set(modes) - set(_MODES))]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join((*KINDS, *_MODES))}")
    if not 1 <= options.count <= 10_000:
        parser.error("--count must be 1 to 10000: there are no more numbers that are nobody's")
    return 1 if asyncio.run(_run(kinds, modes, count=options.count, seed=options.seed)) else 0


async def _run(kinds: Sequence[str], modes: Sequence[str], *, count: int, seed: int) -> list[str]:
    leaks = []
    for kind, mode in product(kinds, modes):
        started = time.monotonic()
        print(f"{kind}, payloads {mode}: {count} verifications, seed {seed}", flush=True)
        async with installation(kind, seed=seed, encryption=PayloadEncryption(mode)) as site:
            report = await canaries(site, count=count, seed=seed)
        print("\n".join(report.lines()))
        print(f"  {'FOUND' if report.leaks else 'nothing found'} [{time.monotonic() - started:.0f} s]", flush=True)
        for leak in report.leaks[:20]:
            print(f"  - {leak}")
        leaks += report.leaks
    return leaks


if __name__ == "__main__":
    sys.exit(main())
