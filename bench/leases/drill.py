"""Workers killed while leases rotate and numbers are set aside: what left, under which fence, how fast."""

import asyncio
import multiprocessing
import random
import time
from contextlib import suppress
from multiprocessing.context import ForkServerProcess

from bench.leases.installation import Starts, fill_pool, starts_of
from bench.leases.report import Report, look, messages_left
from bench.leases.taking import Taken, take_away
from bench.leases.worker import work
from store.engine import Database
from store.migrate import migrate

_WORKERS = 3
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["bench.leases.worker"])


async def drill(
    url: str, *, messages: int, parts_per_s: float, kill_every_s: float, within_s: float, seed: int = 0
) -> Report:
    """Plan messages while workers send them, are killed and started again, and numbers are taken away; then look."""
    database = Database(url, command_timeout_s=None)
    await migrate(database)
    await fill_pool(database, parts_per_s=parts_per_s)
    starts = await starts_of(database)
    workers, killed, taken = [_worker(url, share) for share in range(_WORKERS)], 0, Taken()
    taking = asyncio.create_task(take_away(database, taken, rng=random.Random(seed)))
    planning = asyncio.create_task(_plan(starts, messages))
    try:
        until = time.monotonic() + within_s
        next_kill = time.monotonic() + kill_every_s
        while time.monotonic() < until and (not planning.done() or await messages_left(database)):
            await asyncio.sleep(0.1)
            if time.monotonic() >= next_kill:
                _end(workers[killed % _WORKERS])
                workers[killed % _WORKERS] = _worker(url, killed % _WORKERS)
                killed, next_kill = killed + 1, time.monotonic() + kill_every_s
        await planning
    finally:
        for task in (taking, planning):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for each in workers:
            _end(each)
    report = await look(database, taken, messages=messages, killed=killed, parts_per_s=parts_per_s)
    await database.close()
    return report


def _worker(url: str, share: int) -> ForkServerProcess:
    """Start a worker that has imported everything already: one that is killed every six seconds has no time to."""
    worker = _FORKS.Process(target=work, args=(url, share, _WORKERS), daemon=True)
    worker.start()
    return worker


def _end(worker: ForkServerProcess) -> None:
    worker.kill()
    worker.join()


async def _plan(starts: Starts, messages: int) -> None:
    for number in range(messages):
        await starts.one(number)
