"""Requests that have the machine to themselves.

Even one user who starts verifications without a pause keeps Temporal and the worker busy with the ones before, so here
the user pauses after each start until its message has long left. Wrong checks leave no such work behind.
"""

from bench.load.batches import check_all, checks_of, sample_of, start_some, wrong_checks_of
from bench.load.cpu import Cpu
from bench.load.driver import Generator
from bench.load.samples import Samples
from bench.load.system import System
from bench.load.waiting import floor_has_touched, sent_since, workflows_left
from domain import ids

_PAUSE_S = 0.12
# Spreads the checks over seconds, so that no single moment of the machine decides about all of them.
_CHECK_PAUSE_S = 0.02


async def lone(system: System, generator: Generator, numbers: list[str], *, finish: bool = True) -> Samples:
    """Start a verification of each number with pauses, check each wrongly, and finish them if asked to."""
    marker = ids.new_id()
    starts = await start_some(system, generator, numbers, concurrency=1, pause_s=_PAUSE_S)
    sent = await sent_since(system, marker, count=len(starts.bodies))
    checks = await check_all(
        system, generator, await wrong_checks_of(system, sent), concurrency=1, valid=False, pause_s=_CHECK_PAUSE_S
    )
    if finish:
        await check_all(system, generator, await checks_of(system, sent), concurrency=1, valid=True)
        await workflows_left(system, "VerificationWorkflow")
    return {"lone start": sample_of(starts, Cpu()), "lone check": sample_of(checks, Cpu())}


async def lone_floor(system: System, generator: Generator, *, count: int) -> Samples:
    """Start bare workflows with the same pauses."""
    before = int(system.floor_count_file.read_text(encoding="ascii"))
    requests = [("/workflows", '{"to":"+447710000000"}')] * count
    starts = await generator.burst(system.floor, requests, concurrency=1, status=201, pause_s=_PAUSE_S)
    await floor_has_touched(system, before + count)
    ends = [(f"/workflows/{body['id']}/ended", '{"code":"123456"}') for body in starts.bodies]
    await generator.burst(system.floor, ends, concurrency=1, status=200)
    await workflows_left(system, "FloorWorkflow")
    return {"floor lone start": sample_of(starts, Cpu())}
