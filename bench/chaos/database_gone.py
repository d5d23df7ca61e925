"""F5: the database dies under load. PostgreSQL is killed; SQLite has no process, so those that write to it are.

No acknowledged write is lost, and everything goes on by itself.
"""

import asyncio
import time

from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import Load, approve_one, drive
from bench.chaos.verdict import Plan, Verdict
from cli.waiting import until

# How soon after the database is back a whole verification must work again, without anybody's help.
_RECOVERED_WITHIN_S = 30.0


async def database_gone(site: Installation, plan: Plan) -> Verdict:
    """Kill the database, or its writers, under load; wait until a verification works again."""
    kills = plan.size(short=1, long=10)
    load = Load(
        count=plan.size(short=30, long=1_200),
        per_s=10,
        at_once=plan.size(short=30, long=100),
        patience_s=plan.size(short=8, long=45),
    )
    driving = asyncio.create_task(drive(site, load, rng=plan.rng("F5"), name="F5"))
    problems: list[str] = []
    recovered = []
    for _ in range(kills):
        await asyncio.sleep(plan.size(short=1, long=5))
        await _kill(site)
        recovered.append(await _recover(site, problems))
        plan.say(f"works again after {recovered[-1]} s")
    outcomes = await driving
    if damage := site.place.damage():
        problems.append(f"the file is damaged: {damage}")
    problems += broken_promises(await gather_evidence(site))
    victim = "server" if site.place.cluster else "API and workers"
    return Verdict(
        fault="F5",
        database=site.kind,
        done=f"{load.count} verifications, {victim} killed {kills} times",
        counts={"works_again_after_s": str(recovered), **outcomes},
        problems=problems,
    )


async def _kill(site: Installation) -> None:
    """Kill and start again; the PostgreSQL server does nothing to the others, which must notice by themselves."""
    cluster = site.place.cluster
    if cluster is None:
        with site.outages.of_api():
            writers = (*site.apis, *site.workers)
            await asyncio.gather(*(part.kill() for part in writers))
            await asyncio.gather(*(part.start() for part in writers))
        return
    await asyncio.to_thread(cluster.kill)
    await asyncio.to_thread(cluster.start)
    await until(site.database_answers, what="PostgreSQL", within_s=30)


async def _recover(site: Installation, problems: list[str]) -> float:
    """Return how long it took until a whole verification worked."""
    back = time.monotonic()
    told = await approve_one(site, site.numbers.any(), within_s=_RECOVERED_WITHIN_S)
    if told.answer.get("status") != "approved":
        problems.append(f"after the restart a verification was answered {told.status} {told.code}")
    return round(time.monotonic() - back, 1)
