"""A run on one database: product and floor in turns, at each concurrency."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.load.batches import FLOOR, PRODUCT, Meter, Numbers, floor_batch, floor_checks, product_batch
from bench.load.driver import Generator
from bench.load.facts import server_versions
from bench.load.history import HappyPath, happy_path
from bench.load.lone import lone, lone_floor
from bench.load.plan import Plan
from bench.load.samples import Samples, merged
from bench.load.system import System, running

# Enough to open every connection of the pools and to compile every statement.
_WARM_UP = 25
_IDLE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Measured:
    """What was measured on one database. `idle_ms_per_s`: CPU that each part uses while nothing happens."""

    database: str
    versions: dict[str, str]
    idle_ms_per_s: dict[str, float]
    alone: Samples = field(default_factory=dict)
    by_concurrency: dict[int, Samples] = field(default_factory=dict)
    path: HappyPath | None = None


async def measure(database: str, plan: Plan, *, say: Callable[[str], None]) -> Measured:
    """Start everything on a database and measure it at each concurrency."""
    say(f"{database}: starting Temporal, database, API, worker and the floor")
    async with running(database, api_processes=plan.api_processes) as system, Generator() as generator:
        numbers = Numbers.fresh()
        warm_up = min(_WARM_UP, max(plan.batch(each) for each in plan.concurrency))
        await _warm_up(system, generator, numbers, count=warm_up)
        say(f"{database}: ready")
        result = Measured(database=database, versions=await server_versions(system), idle_ms_per_s=await _idle(system))
        for at in range(plan.rounds):
            say(f"{database}: requests one at a time, with pauses")
            result.alone = merged(result.alone, await lone(system, generator, numbers.take(plan.alone)))
            result.alone = merged(result.alone, await lone_floor(system, generator, count=plan.alone))
            for concurrency in plan.concurrency:
                count = plan.batch(concurrency)
                say(f"{database}: concurrency {concurrency}, {count} verifications, round {at + 1} of {plan.rounds}")
                samples, one = await product_batch(system, generator, numbers.take(count), concurrency=concurrency)
                if concurrency == min(plan.concurrency):  # under overload, tasks time out and histories grow
                    result.path = await happy_path(system, one)
                say(f"{database}: the floor at concurrency {concurrency}")
                floor = await floor_batch(system, generator, count=count, concurrency=concurrency)
                checks = await floor_checks(system, generator, count=count, concurrency=concurrency)
                before = result.by_concurrency.get(concurrency, {})
                result.by_concurrency[concurrency] = merged(before, {**samples, **floor, **checks})
        return result


async def _warm_up(system: System, generator: Generator, numbers: Numbers, *, count: int) -> None:
    await product_batch(system, generator, numbers.take(count), concurrency=count)
    await floor_batch(system, generator, count=count, concurrency=count)
    await floor_checks(system, generator, count=count, concurrency=count)


async def _idle(system: System) -> dict[str, float]:
    meter = Meter(system, tuple({*PRODUCT, *FLOOR}))
    await asyncio.sleep(_IDLE_S)
    used = meter.lap()
    return {part: ms / _IDLE_S for part, ms in used.ms_each(1).items() if part in system.pids}
