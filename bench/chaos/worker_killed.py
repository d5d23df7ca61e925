"""F1: a worker is killed every two seconds while verifications run: nothing is lost, nothing is sent twice.

There are two workers; each time the one that has worked longest dies, and is started again at once, so that each kill
hits a worker at work.
"""

import asyncio
import time
from collections.abc import Callable

from bench.chaos.checker import broken_promises
from bench.chaos.evidence import Evidence, gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import Load, drive
from bench.chaos.part import Part
from bench.chaos.verdict import Plan, Verdict

_EVERY_S = 2.0
# All must have ended this long after the last restart; the lives are shorter than that.
_ENDED_WITHIN_S = 60.0
_TTL_S = 30


async def worker_killed(site: Installation, plan: Plan) -> Verdict:
    """Run the load, kill workers until it is over, then wait for the last end."""
    count = plan.size(short=60, long=10_000)
    load = Load(count=count, per_s=plan.size(short=8, long=40), at_once=plan.size(short=60, long=150), ttl_s=_TTL_S)
    killer = _Killer(site.workers, say=plan.say)
    killing = asyncio.create_task(killer.run())
    driving = asyncio.create_task(drive(site, load, rng=plan.rng("F1"), name="F1"))
    try:
        # A short run kills only while verifications are started.
        await asyncio.wait([driving], timeout=count / load.per_s if plan.is_short else None)
    finally:
        await killer.stop(killing)
    outcomes = await driving
    problems = [] if killer.kills else ["no worker was killed"]
    took_s: float | str = "audited at the end of the run"
    if not plan.is_short:
        took_s = round(await until_all_ended(site, since=killer.last_restart, within_s=_ENDED_WITHIN_S, say=plan.say), 1)
    evidence = await gather_evidence(site)
    problems += broken_promises(evidence, all_ended=not plan.is_short)
    counts = {"kills": killer.kills, **_figures(evidence), "ended_after_s": took_s, **outcomes}
    return Verdict(
        fault="F1",
        database=site.kind,
        done=f"{count} verifications, a worker killed every {_EVERY_S:.0f} s",
        counts=counts,
        problems=problems,
    )


async def until_all_ended(site: Installation, *, since: float, within_s: float, say: Callable[[str], None]) -> float:
    """Wait until nothing is pending, no longer than promised; return the seconds since a moment (monotonic)."""
    while time.monotonic() - since < within_s:
        pending = sum(1 for each in (await gather_evidence(site)).verifications.values() if each.status == "pending")
        if not pending:
            break
        say(f"{pending} pending")
        await asyncio.sleep(1)
    return time.monotonic() - since


def _figures(evidence: Evidence) -> dict[str, int]:
    return {
        "submissions": len(evidence.ledger),
        "unknown": sum(1 for each in evidence.attempts.values() if each.status == "unknown"),
    }


class _Killer:
    """Kills workers in turn and starts each again."""

    def __init__(self, workers: list[Part], *, say: Callable[[str], None]) -> None:
        self._workers = workers
        self._say = say
        self._at_work_since = {worker.name: time.monotonic() for worker in workers}
        self._reviving: dict[str, asyncio.Task[None]] = {}
        self.kills = 0
        self.last_restart = time.monotonic()

    async def run(self) -> None:
        """Kill one every two seconds, once it has worked for as long, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            worker = self._workers[self.kills % len(self._workers)]
            if worker.name in self._reviving:
                await self._reviving[worker.name]
            await asyncio.sleep(self._at_work_since[worker.name] + _EVERY_S - time.monotonic())
            await worker.kill()
            self.kills += 1
            self.last_restart = time.monotonic()
            self._reviving[worker.name] = asyncio.create_task(self._revive(worker))
            self._say(f"kill {self.kills}")

    async def stop(self, killing: asyncio.Task[None]) -> None:
        """Stop killing, and see to it that every worker works."""
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await asyncio.gather(*self._reviving.values())

    async def _revive(self, worker: Part) -> None:
        await worker.start()
        self._at_work_since[worker.name] = time.monotonic()
