"""What a run measures, and how much of it: the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import ROOT

DATABASES = ("sqlite", "postgresql")
# An account may have 50,000 wrong checks an hour, and each verification here has four: the product's own limit holds.
MOST_VERIFICATIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """How full the full system is; lone starts are measured in `rounds` of `count`, with four checks each."""

    old: int
    open: int
    open_workflows: int
    rounds: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    databases: tuple[str, ...]
    concurrency: tuple[int, ...]
    rounds: int
    count: int | None
    api_processes: int
    aged: Aged | None
    results: Path
    is_quick: bool

    @property
    def alone(self) -> int:
        """Return how many requests are made one at a time, with pauses, in a round."""
        return min(self.count or 30, 12 if self.is_quick else 30)

    def batch(self, concurrency: int) -> int:
        """Return how many verifications one batch at a concurrency has: seconds of work, not minutes."""
        if self.count is not None:
            return self.count
        if self.is_quick:
            return min(40 + 2 * concurrency, 160)
        return min(100 + 10 * concurrency, 600)


def parse(arguments: Sequence[str]) -> Plan:
    """Return the plan that a command line asks for; a wrong one exits with the sentence that says what is accepted."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.load", description="Measure throughput, latency and CPU beside the bare floor."
    )
    parser.add_argument("--quick", action="store_true", help="about a minute; rough figures")
    parser.add_argument("--databases", type=_databases, default=DATABASES, help="sqlite,postgresql")
    parser.add_argument("--concurrency", type=_numbers, default=(1, 20, 100), help="1,20,100")
    parser.add_argument("--count", type=_number, help="verifications in a batch")
    parser.add_argument("--rounds", type=_number, help="batches of product and floor, in turns")
    parser.add_argument("--api-processes", type=_number, default=1)
    parser.add_argument("--old", type=int, help="old verifications in the full system")
    parser.add_argument("--open", type=int, help="open ones in it, as rows")
    parser.add_argument("--open-workflows", type=int, help="open ones in it beside these, with their workflows")
    parser.add_argument("--without-aged", action="store_true", help="leave the full system out")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON report")
    options = parser.parse_args(arguments)
    quick = options.quick
    old, open_, workflows = (100_000, 1_000, 20) if quick else (1_000_000, 10_000, 1_000)
    aged = Aged(
        old=old if options.old is None else options.old,
        open=open_ if options.open is None else options.open,
        open_workflows=workflows if options.open_workflows is None else options.open_workflows,
        rounds=3 if quick else 8,
        count=12 if quick else 25,
    )
    plan = Plan(
        databases=options.databases,
        concurrency=options.concurrency,
        rounds=options.rounds or (1 if quick else 2),
        count=options.count,
        api_processes=options.api_processes,
        aged=None if options.without_aged or "postgresql" not in options.databases else aged,
        results=options.results,
        is_quick=quick,
    )
    most = plan.rounds * sum(plan.batch(each) for each in plan.concurrency)
    if most > MOST_VERIFICATIONS:
        parser.error(f"{most} verifications on a database are too many: at most {MOST_VERIFICATIONS}")
    return plan


def _databases(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if not set(found) <= set(DATABASES):
        raise argparse.ArgumentTypeError(f"{text}: any of {','.join(DATABASES)}")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_number(each) for each in text.split(","))


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_VERIFICATIONS:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 to {MOST_VERIFICATIONS}")
    return int(text)
