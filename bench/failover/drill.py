"""Messages at an even pace, some refused by a carrier, and the times between its word and the next one's turn."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.chaos.installation import Installation, installation
from bench.load.driver import percentile
from domain.sandbox import LedgerEntry, SandboxBehaviour

_REFUSES, _CREATED = "alpha", 201
# Fewer in a row, and of any ten, than a breaker takes for a carrier that is down: it would be left alone.
_REFUSED_EVERY = 3
_WITHIN_S = 30.0
# What is promised of our own time, 95 of 100 times.
_P95_MS = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How many messages, how many a second; the first ones warm everything up and are not counted."""

    messages: int = 600
    per_s: float = 10.0
    warm_up: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Milliseconds from a refused message's arrival at its carrier to its successor's at the next one.

    `messages` are those that were refused.
    """

    messages: int
    failed_over: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float

    @property
    def is_kept(self) -> bool:
        """Say whether everything that is promised holds."""
        return self.failed_over == self.messages and self.p95_ms < _P95_MS


async def drill(kind: str, run: Run) -> Report:
    """Have an installation send messages, some of them refused once, and read from its carriers' books how it went."""
    async with installation(kind, seed=0) as site:
        numbers = [site.numbers.of_gb_pool() for _ in range(run.warm_up + run.messages)]
        refused = numbers[run.warm_up :: _REFUSED_EVERY]
        for each in refused:
            await site.control.set_behaviour(_REFUSES, behaviour=SandboxBehaviour.REFUSE, to=each)
        await _start(site, numbers[: run.warm_up], per_s=run.per_s)
        await _start(site, numbers[run.warm_up :], per_s=run.per_s)
        return report_of(await _settled(site, count=len(numbers) + len(refused)), refused)


def report_of(ledger: Sequence[LedgerEntry], numbers: Sequence[str]) -> Report:
    """Return the times of some numbers' messages."""
    by_number: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in ledger:
        by_number[entry.to].append(entry)
    gaps = [gap for number in numbers if (gap := _gap_ms(by_number[number])) is not None]
    if not gaps:
        raise RuntimeError("no message was refused and sent on: the drill measures nothing")
    return Report(
        messages=len(numbers),
        failed_over=len(gaps),
        p50_ms=round(percentile(gaps, 50), 1),
        p95_ms=round(percentile(gaps, 95), 1),
        p99_ms=round(percentile(gaps, 99), 1),
        longest_ms=round(max(gaps), 1),
    )


def _gap_ms(entries: Sequence[LedgerEntry]) -> float | None:
    """Return the time between a refusal and the message that followed it; None where none did."""
    moments: list[datetime] = [each.received_at for each in entries]
    if len(entries) != 2 or entries[0].carrier != _REFUSES or entries[1].verdict != "accepted":
        return None
    return (moments[1] - moments[0]).total_seconds() * 1000


async def _start(site: Installation, numbers: Sequence[str], *, per_s: float) -> None:
    async with asyncio.TaskGroup() as group:
        starts = []
        for number in numbers:
            starts.append(group.create_task(site.client.start(number)))
            await asyncio.sleep(1 / per_s)
    odd = [each.result().status for each in starts if each.result().status != _CREATED]
    if odd:
        raise RuntimeError(f"{len(odd)} starts were not answered {_CREATED}; the first {odd[0]}")


async def _settled(site: Installation, *, count: int) -> list[LedgerEntry]:
    """Return the carriers' books once they hold so many messages, or time is up."""
    until = asyncio.get_running_loop().time() + _WITHIN_S
    # ASYNC110 asks for an event, and books give none.
    while len(ledger := await site.control.ledger()) < count and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return ledger
