"""`python -m bench.webhooks`: deliveries a second through the whole product, and what each costs, beside a floor.

The product: events in PostgreSQL, the watch, dispatchers in Temporal, one worker. The floor is `httpx2` as it comes,
posting bodies of the same size to the same sink in the same run. The sink is a process of its own.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx2
import psutil
from sqlalchemy import func, select

from bench.chaos.installation import Installation, installation
from bench.load.cpu import Cpu, read_cpu
from bench.webhooks.crowd import Crowd
from bench.webhooks.endpoints import OF_ONE, Endpoints
from domain.webhooks import DeliveryStatus
from rules.webhooks.schedule import FULL_PACE
from store.tables import table_of
from store.webhook_tables import WebhookDelivery

_delivery = table_of(WebhookDelivery)
_PATIENCE_S = 300.0
_BODY = b'{"id":"evt_0","type":"check.failed","data":{"' + b"x" * 200 + b'":1}}'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--events", type=int, default=3_000)
    parser.add_argument("--endpoints", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--crowd", type=int, help="so many endpoints instead, ten for each account")
    parser.add_argument("--per-s", type=float, default=40.0, help="deliveries a second that the crowd is to get")
    options = parser.parse_args()
    if options.crowd:
        asyncio.run(_measure_crowd(options.crowd, per_s=options.per_s))
    else:
        asyncio.run(_measure(options.events, options.endpoints))


async def _measure(events: int, endpoints: list[int]) -> None:
    async with _sink() as url:
        print(await _floor(url, count=events), flush=True)
        async with installation("postgresql", seed=1) as site:
            for count in endpoints:
                print(await _product(site, url, events=events // count // OF_ONE * OF_ONE, endpoints=count), flush=True)


async def _measure_crowd(endpoints: int, *, per_s: float) -> None:
    async with _sink() as url, installation("postgresql", seed=1) as site:
        crowd = await Crowd.gathered(site, url, endpoints=endpoints, pids=_pids(site))
        async for line in crowd.measured(per_s=per_s):
            print(line, flush=True)


@asynccontextmanager
async def _sink() -> AsyncIterator[str]:
    command = (sys.executable, "-m", "bench.webhooks.posts", "--sink")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _floor(url: str, *, count: int) -> str:
    """Return what bare posts come to, as many at once as one endpoint gets."""
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def some(share: int) -> None:
            for _ in range(share):
                (await client.post(url, content=_BODY)).raise_for_status()

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(some(count // FULL_PACE) for _ in range(FULL_PACE)))
        seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
    done = count // FULL_PACE * FULL_PACE
    return f"floor: {done / seconds:.0f} bare posts/s, {cpu_s / done * 1000:.2f} ms CPU each"


async def _product(site: Installation, url: str, *, events: int, endpoints: int) -> str:
    """Return what deliveries come to, from a backlog of events on."""
    made = await Endpoints.on(site)
    ids = [await made.make(url) for _ in range(endpoints)]
    await site.workers[0].stop()
    await made.happen(events // OF_ONE)
    await site.workers[0].start()
    pids = _pids(site)
    # The worker has begun before it said so; what it had delivered by then is not counted.
    early = await _delivered(site, ids)
    began, before = time.monotonic(), read_cpu(pids)
    await _until_delivered(site, ids, events * endpoints)
    seconds, used = time.monotonic() - began, read_cpu(pids) - before
    for each in ids:
        await made.webhooks.delete(made.caller, each)
    return _line(events * endpoints - early, endpoints, seconds, used)


def _pids(site: Installation) -> dict[str, int]:
    """Return the processes that take part: the database's is found by the folder of its socket."""
    pids = {"worker": site.workers[0].pid or 0, "temporal": site.temporal.pid or 0}
    for each in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(each.info["cmdline"] or [])
        if each.info["name"] == "postgres" and "-D" in line and _folder(site) in line:
            pids["postgresql"] = each.pid
    return pids


def _folder(site: Installation) -> str:
    return str(site.place.url).partition("host=")[2].partition("&")[0].replace("%2F", "/") or "(none)"


async def _until_delivered(site: Installation, ids: list[UUID], count: int) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if await _delivered(site, ids) >= count:
            return
        await asyncio.sleep(0.1)
    sys.exit("not all was delivered in time")


async def _delivered(site: Installation, ids: list[UUID]) -> int:
    query = select(func.count()).where(
        _delivery.c.webhook_id.in_(ids), _delivery.c.status == DeliveryStatus.DELIVERED.value
    )
    async with site.database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


def _line(count: int, endpoints: int, seconds: float, used: Cpu) -> str:
    each = used.ms_each(count)
    parts = ", ".join(f"{part} {ms:.2f}" for part, ms in each.items())
    return (
        f"{endpoints} endpoint{'s' if endpoints > 1 else ''}: {count / seconds:.0f} deliveries/s, "
        f"{sum(each.values()):.2f} ms CPU each ({parts})"
    )


if __name__ == "__main__":
    main()
