"""One batch of verifications through the product, and one of the same size through the bare floor.

A batch goes in step: all starts, then wait until every message has left, then the wrong checks, then the right ones,
then wait until every workflow has ended; so that nobody has to poll over HTTP, and CPU can be read between the steps.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from bench.load.cpu import Cpu, read_cpu
from bench.load.driver import Burst, Generator, LoadFailedError, Request
from bench.load.floor_front import CHECKS
from bench.load.samples import Sample, Samples
from bench.load.system import System
from bench.load.waiting import Sent, floor_has_touched, sent_since, workflows_left
from domain import ids
from security.codes import code_for

PRODUCT = ("temporal", "api", "worker", "database")
FLOOR = ("temporal", "floor front", "floor worker")
FLOOR_CHECK = ("floor front", "database")
GENERATOR = "generator"
WRONG_PER_VERIFICATION = 4
_CREATED, _OK, _TEMPORAL_UNAVAILABLE = 201, 200, 503


@dataclass(slots=True)
class Numbers:
    """British mobile numbers, each handed out once: a number may not be written to twice in thirty seconds."""

    _next: Iterator[int]

    @classmethod
    def fresh(cls) -> "Numbers":
        """Return numbers from the start of a range that belongs to one country's mobile networks."""
        return cls(itertools.count(447_710_000_000))

    def take(self, count: int) -> list[str]:
        """Return some numbers in E.164."""
        return [f"+{each}" for each in itertools.islice(self._next, count)]


class Meter:
    """Reads the CPU of some parts between two moments; the generator's own is told by each burst."""

    def __init__(self, system: System, parts: tuple[str, ...]) -> None:
        self._pids = {part: pid for part, pid in system.pids.items() if part in parts}
        self._begin = read_cpu(self._pids)

    def lap(self, *bursts: Burst) -> Cpu:
        """Return what was used since the last lap."""
        now = read_cpu(self._pids)
        used, self._begin = now - self._begin, now
        return used + Cpu({GENERATOR: sum(burst.cpu_s for burst in bursts)})


async def start_some(
    system: System,
    generator: Generator,
    numbers: list[str],
    *,
    concurrency: int,
    ttl_s: int = 300,
    pause_s: float = 0.0,
) -> Burst:
    """Start a verification of each number; the product may say of some that Temporal is too busy."""
    requests = [("/v1/verifications", f'{{"to":"{number}","ttl_s":{ttl_s}}}') for number in numbers]
    return await generator.burst(
        system.api,
        requests,
        concurrency=concurrency,
        status=_CREATED,
        refusal=_TEMPORAL_UNAVAILABLE,
        pause_s=pause_s,
    )


async def checks_of(system: System, sent: Sent, *, off_by: int = 0) -> list[Request]:
    """Return a check of each verification: with the right code, or with one that is off by something."""
    requests, key = [], await system.keys.codes.newest()
    for each, counter in sent.counters.items():
        right = int(code_for(key.secret, verification_id=each, counter=counter, length=6))
        body = f'{{"code":"{(right + off_by) % 1_000_000:06d}"}}'
        requests.append((f"/v1/verifications/{ids.verification_id(each)}/checks", body))
    return requests


async def wrong_checks_of(system: System, sent: Sent) -> list[Request]:
    """Return as many wrong checks of each verification as it bears without ending."""
    return [each for off in range(1, WRONG_PER_VERIFICATION + 1) for each in await checks_of(system, sent, off_by=off)]


async def check_all(
    system: System,
    generator: Generator,
    requests: list[Request],
    *,
    concurrency: int,
    valid: bool,
    pause_s: float = 0.0,
) -> Burst:
    """Send checks and hold each verdict against what it must be."""
    burst = await generator.burst(system.api, requests, concurrency=concurrency, status=_OK, pause_s=pause_s)
    if any(body["valid"] is not valid for body in burst.bodies):
        raise LoadFailedError(f"A check was not answered with valid={valid}")
    return burst


async def product_batch(
    system: System, generator: Generator, numbers: list[str], *, concurrency: int
) -> tuple[Samples, str]:
    """Take each number through a whole verification; return the samples and the id of one of them."""
    marker = ids.new_id()
    meter = Meter(system, PRODUCT)
    starts = await start_some(system, generator, numbers, concurrency=concurrency)
    starting = meter.lap(starts)
    count = len(starts.bodies)
    sent = await sent_since(system, marker, count=count)
    sending = meter.lap()
    guesses, right = await wrong_checks_of(system, sent), await checks_of(system, sent)
    meter.lap()
    wrong_checks = await check_all(system, generator, guesses, concurrency=concurrency, valid=False)
    guessing = meter.lap(wrong_checks)
    right_checks = await check_all(system, generator, right, concurrency=concurrency, valid=True)
    checking = meter.lap(right_checks)
    left = await workflows_left(system, "VerificationWorkflow")
    ending = meter.lap()
    system.ensure_alive()
    samples = {
        "start": sample_of(starts, starting),
        "sent": Sample(count=len(sent.counters), wall_s=sent.within_s),
        "failed": Sample(count=sent.failed, wall_s=sent.within_s),
        "attempt": Sample(count=sent.attempts, wall_s=sent.within_s),
        "refused": Sample(count=starts.refused, wall_s=starts.wall_s),
        "left": Sample(count=left, wall_s=right_checks.wall_s),
        "wrong check": sample_of(wrong_checks, guessing),
        "right check": sample_of(right_checks, checking),
        "whole": Sample(
            count=count,
            wall_s=starts.wall_s + right_checks.wall_s,
            cpu=starting + sending + checking + ending,
        ),
    }
    return samples, starts.bodies[0]["id"]


async def floor_batch(system: System, generator: Generator, *, count: int, concurrency: int) -> Samples:
    """Take as many bare workflows through the same steps."""
    before = int(system.floor_count_file.read_text(encoding="ascii"))
    meter = Meter(system, FLOOR)
    requests = [("/workflows", '{"to":"+447710000000"}')] * count
    starts = await generator.burst(system.floor, requests, concurrency=concurrency, status=_CREATED)
    starting = meter.lap(starts)
    await floor_has_touched(system, before + count)
    sending = meter.lap()
    ends = [(f"/workflows/{each}/ended", '{"code":"123456"}') for each in (body["id"] for body in starts.bodies)]
    signals = await generator.burst(system.floor, ends, concurrency=concurrency, status=_OK)
    signaling = meter.lap(signals)
    await workflows_left(system, "FloorWorkflow")
    ending = meter.lap()
    system.ensure_alive()
    return {
        "floor start": sample_of(starts, starting),
        "floor whole": Sample(
            count=count, wall_s=starts.wall_s + signals.wall_s, cpu=starting + sending + signaling + ending
        ),
    }


async def floor_checks(system: System, generator: Generator, *, count: int, concurrency: int) -> Samples:
    """Count as many guesses as the product's batch does, on rows that hold nothing else."""
    rows = [ids.new_id().hex for _ in range(count)]
    async with system.database.transaction() as connection:
        await connection.execute(CHECKS.insert(), [{"id": row, "checks": 0} for row in rows])
    requests = [(f"/checks/{row}", '{"code":"123456"}') for _ in range(WRONG_PER_VERIFICATION) for row in rows]
    meter = Meter(system, FLOOR_CHECK)
    burst = await generator.burst(system.floor, requests, concurrency=concurrency, status=_OK)
    return {"floor check": sample_of(burst, meter.lap(burst))}


def sample_of(burst: Burst, cpu: Cpu) -> Sample:
    """Return what a burst says of one kind of request."""
    return Sample(count=len(burst.latencies_ms), wall_s=burst.wall_s, cpu=cpu, latencies_ms=tuple(burst.latencies_ms))
