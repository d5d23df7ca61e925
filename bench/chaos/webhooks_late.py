"""F17: receivers that are down for an hour, broken, silent or gone, and a worker killed in it: no webhook is lost.

Nobody is killed in the first half of the hour, in which the healthy receiver's waits are measured. The hour is the
endpoints' own: what their rows say is moved into the past, and their dispatchers are told to look.
"""

import asyncio
import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from uuid import UUID

from bench.chaos.installation import Installation
from bench.chaos.verdict import Plan, Verdict
from bench.webhooks.endpoints import OF_ONE, Endpoints
from bench.webhooks.sink import BROKEN, DRIPPING, GONE, OK, SILENT, Received, Reply, Sink, redirect, sinking
from cli.waiting import until
from rules.webhooks.schedule import PROBE_EVERY_S
from services.webhooks import WebhookRequest

_HEALTHY, _DOWN, _GONE = "healthy", "down", "410"
_REPLIES: Mapping[str, Reply] = {
    _HEALTHY: OK,
    _DOWN: OK,
    "500": BROKEN,
    "302": redirect("http://127.0.0.1:1/elsewhere"),
    _GONE: GONE,
    "silent": SILENT,
    "drip": DRIPPING,
}
_SKIPPED_S = 30
_STEPS = 1_800 // PROBE_EVERY_S
_DRAINED_WITHIN_S = 600.0
# Short runs share two cores with the rest of the tests, so what they hold is that nobody waits for who is down.
_P99_S = {True: 5.0, False: 2.0}
_KILL_EVERY_S = 4.0


async def webhooks_late(site: Installation, plan: Plan) -> Verdict:
    """Have events happen while every receiver but one is unwell and the worker is killed; then all are well."""
    async with AsyncExitStack() as stack:
        sinks = {name: await stack.enter_async_context(sinking(reply=reply)) for name, reply in _REPLIES.items()}
        endpoints = await Endpoints.on(site)
        made = {name: await endpoints.make(f"{sink.url}/{name}") for name, sink in sinks.items()}
        await sinks[_DOWN].down()
        calm = await _half_an_hour(endpoints, made, plan)
        await _all_tried(sinks, calm)
        kills = asyncio.create_task(_kill_now_and_then(site, plan))
        ids = calm + await _half_an_hour(endpoints, made, plan)
        await kills
        drained_s = await _recover(endpoints, made, sinks, ids)
        for each in made.values():
            await endpoints.webhooks.delete(endpoints.caller, each)
    p99_s = _p99(sinks[_HEALTHY].ledger, calm)
    problems = [f"{name}: {what}" for name, sink in sinks.items() for what in _broken(sink.ledger, ids)]
    if drained_s > _DRAINED_WITHIN_S:
        problems.append(f"drained {drained_s:.0f} s after recovery")
    if p99_s > _P99_S[plan.is_short]:
        problems.append(f"the healthy endpoint waited {p99_s:.2f} s (p99)")
    return Verdict(
        fault="F17",
        database=site.kind,
        done=f"{len(ids)} events to {len(sinks)} receivers, {len(sinks) - 1} of them unwell for an hour",
        counts={
            "posts": sum(len(sink.ledger) for sink in sinks.values()),
            "lost": sum(len(set(ids) - {each.id for each in sink.ledger}) for sink in sinks.values()),
            "drained_s": round(drained_s, 1),
            "healthy_p99_s": round(p99_s, 2),
        },
        problems=problems,
    )


async def _half_an_hour(endpoints: Endpoints, made: Mapping[str, UUID], plan: Plan) -> list[str]:
    """Have events happen over half an hour of the endpoints' time; return the events' ids."""
    ids: list[str] = []
    unwell = [each for name, each in made.items() if name != _HEALTHY]
    for _ in range(_STEPS):
        ids += await endpoints.happen(plan.size(short=5, long=170))
        await endpoints.time_passes(unwell, seconds=PROBE_EVERY_S)
        await asyncio.sleep(plan.size(short=0, long=3))
    return ids


async def _all_tried(sinks: Mapping[str, Sink], ids: Sequence[str]) -> None:
    """Wait until the healthy receiver has everything, and every other one that listens has been posted to."""

    async def tried() -> bool:
        has_all = set(ids) <= {each.id for each in sinks[_HEALTHY].ledger}
        return has_all and all(sink.ledger for name, sink in sinks.items() if name != _DOWN)

    await until(tried, what="every receiver", within_s=60)


async def _recover(
    endpoints: Endpoints, made: Mapping[str, UUID], sinks: Mapping[str, Sink], ids: Sequence[str]
) -> float:
    """Have every receiver well again; return the seconds until all have everything, on the endpoints' clock."""
    for sink in sinks.values():
        sink.reply = OK
    await sinks[_DOWN].up()
    await endpoints.webhooks.change(endpoints.caller, made[_GONE], WebhookRequest(is_enabled=True))
    began, skipped_s = time.monotonic(), 0.0
    while not _have_all(sinks, ids) and time.monotonic() - began < _DRAINED_WITHIN_S:
        down = await endpoints.down()
        if down:
            # A probe that was under way at the recovery fails yet, and the next one is due five minutes after it.
            skipped_s += _SKIPPED_S
            await endpoints.time_passes(down, seconds=_SKIPPED_S)
        await asyncio.sleep(1)
    return time.monotonic() - began + skipped_s


def _have_all(sinks: Mapping[str, Sink], ids: Sequence[str]) -> bool:
    return all(set(ids) <= {each.id for each in sink.ledger if each.answered == OK.status} for sink in sinks.values())


def _broken(ledger: Sequence[Received], ids: Sequence[str]) -> list[str]:
    """Return what is wrong with what a receiver got."""
    taken = [each for each in ledger if each.answered == OK.status]
    bodies: dict[str, set[bytes]] = defaultdict(set)
    sequences: dict[str, set[int]] = defaultdict(set)
    for each in taken:
        told = json.loads(each.body)
        bodies[each.id].add(each.body)
        sequences[told["data"]["verification_id"]].add(told["sequence"])
    lost = set(ids) - bodies.keys()
    found = [f"{len(lost)} of {len(ids)} events never came"] if lost else []
    found += [f"{key} came with two bodies" for key, some in bodies.items() if len(some) > 1]
    ours = {json.loads(each.body)["data"]["verification_id"] for each in taken if each.id in set(ids)}
    return found + [f"{each} has a gap" for each in ours if sequences[each] != set(range(1, OF_ONE + 1))]


def _p99(ledger: Sequence[Received], ids: Sequence[str]) -> float:
    """Return how long after its commit an event came first, for all but the slowest hundredth."""
    since = time.time() - time.monotonic()
    first: dict[str, float] = {}
    for each in ledger:
        happened = datetime.fromisoformat(json.loads(each.body)["timestamp"]).timestamp()
        first.setdefault(each.id, each.at + since - happened)
    waits = sorted(first.get(each, math.inf) for each in ids)
    return waits[math.ceil(len(waits) * 0.99) - 1]


async def _kill_now_and_then(site: Installation, plan: Plan) -> None:
    """Kill the worker and an API process, once in a short run, and start them again."""
    rng = plan.rng("F17")
    for _ in range(plan.size(short=1, long=5)):
        await asyncio.sleep(rng.uniform(0, 0.2) if plan.is_short else _KILL_EVERY_S)
        for part in (site.workers[0], site.apis[0]):
            await part.kill()
            await part.start()
