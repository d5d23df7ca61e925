"""`python -m bench.chaos`: break one thing at a time under load, and say what was lost, doubled or left behind."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bench.chaos.catalog import DRILLS
from bench.chaos.forked import Forks
from bench.chaos.installation import installation
from bench.chaos.places import KINDS
from bench.chaos.verdict import Plan, Verdict, report


def main() -> int:
    """Run the drills asked for; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="minutes instead of an hour")
    parser.add_argument("--only", default=",".join(DRILLS), help="faults, comma-separated")
    parser.add_argument("--databases", default=",".join(KINDS), help="sqlite, postgresql or both")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    options = parser.parse_args()
    faults, kinds = options.only.split(","), options.databases.split(",")
    if unknown := [*(set(faults) - set(DRILLS)), *(set(kinds) - set(KINDS))]:
        parser.error(f"there is no {', '.join(unknown)}; faults are {', '.join(DRILLS)}")
    verdicts = asyncio.run(_run(faults, kinds, seed=options.seed, is_short=options.short))
    print(f"\nseed {options.seed}\n{report(verdicts)}")
    return 0 if all(verdict.is_passed for verdict in verdicts) else 1


async def _run(faults: Sequence[str], kinds: Sequence[str], *, seed: int, is_short: bool) -> list[Verdict]:
    verdicts = []
    for kind in kinds:
        print(f"{kind}: starting an installation", flush=True)
        async with AsyncExitStack() as stack:
            forks = await stack.enter_async_context(Forks()) if is_short else None
            site = await stack.enter_async_context(installation(kind, seed=seed, forks=forks))
            for fault in faults:
                started = time.monotonic()
                verdict = await DRILLS[fault](site, Plan(seed=seed, is_short=is_short, say=_teller(kind, fault)))
                print(f"{verdict.line()} [{time.monotonic() - started:.0f} s]", flush=True)
                if verdict.problems:
                    print(f"        first: {verdict.problems[0]}", flush=True)
                verdicts.append(verdict)
    return verdicts


class _teller:  # noqa: N801 - reads as the function that it stands for
    """Says how far a drill is, at most once every few seconds."""

    def __init__(self, kind: str, fault: str) -> None:
        self._prefix = f"  {kind} {fault}: "
        self._next = 0.0

    def __call__(self, text: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 5
            print(self._prefix + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
