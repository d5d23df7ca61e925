"""F1: a worker is killed every two seconds while verifications run: nothing is lost, nothing is sent twice.

There are two or three workers; each time the one that has worked longest dies, and is started again at once, so that
each kill hits a worker at work.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.chaos.checker import broken_promises
from bench.chaos.evidence import Evidence, VerificationRow, gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import Load, drive
from bench.chaos.looks import pending
from bench.chaos.part import Part
from bench.chaos.verdict import Plan, Verdict

_EVERY_S = 2.0
# All must have ended this long after the last restart; the lives are shorter than that.
_ENDED_WITHIN_S = 60.0
_TTL_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A drill whose killing is over, and whose verifications have still to end."""

    load: Load
    kills: int
    last_restart: float
    outcomes: Mapping[str, int]


async def worker_killed(site: Installation, plan: Plan) -> Verdict:
    """Run the load, kill workers until it is over, then wait for the last end."""
    return await all_ended(site, plan, await kill_under_load(site, plan))


async def kill_under_load(site: Installation, plan: Plan) -> Killed:
    """Run the load and kill workers; a short run kills only while verifications are started."""
    count = plan.size(short=60, long=10_000)
    load = Load(count=count, per_s=plan.size(short=8, long=30), at_once=plan.size(short=60, long=200), ttl_s=_TTL_S)
    more = [site.worker(1 + each) for each in range(plan.size(short=1, long=2))]
    await asyncio.gather(*(worker.start() for worker in more))
    killer = _Killer([*site.workers, *more], say=plan.say)
    killing = asyncio.create_task(killer.run())
    driving = asyncio.create_task(drive(site, load, rng=plan.rng("F1"), name="F1"))
    try:
        await asyncio.wait([driving], timeout=count / load.per_s if plan.is_short else None)
    finally:
        await killer.stop(killing)
    outcomes = await driving
    await asyncio.gather(*(worker.kill() for worker in more))
    return Killed(load=load, kills=killer.kills, last_restart=killer.last_restart, outcomes=outcomes)


async def all_ended(site: Installation, plan: Plan, killed: Killed) -> Verdict:
    """Wait until all verifications of the drill have ended, no longer than promised, and judge."""
    while left := await pending(site, reference="F1-"):
        if time.monotonic() - killed.last_restart > _ENDED_WITHIN_S:
            break
        plan.say(f"{len(left)} pending")
        await asyncio.sleep(0.5)
    evidence = await gather_evidence(site)
    problems = [] if killed.kills else ["no worker was killed"]
    problems += [f"{row.id} has not ended" for row in _of_drill(evidence) if row.status == "pending"]
    problems += broken_promises(evidence)
    ended_s = max(row.finished_at.timestamp() for row in _of_drill(evidence) if row.finished_at is not None)
    after_s = ended_s - (time.time() - time.monotonic() + killed.last_restart)
    return Verdict(
        fault="F1",
        database=site.kind,
        done=f"{killed.load.count} verifications, a worker killed every {_EVERY_S:.0f} s",
        counts={
            "kills": killed.kills,
            **_figures(evidence),
            "all_ended_s_after_last_restart": round(after_s, 1),
            **killed.outcomes,
        },
        problems=problems,
    )


def _of_drill(evidence: Evidence) -> list[VerificationRow]:
    return [row for row in evidence.verifications.values() if (row.reference or "").startswith("F1-")]


def _figures(evidence: Evidence) -> dict[str, int]:
    rows = {row.id: row for row in _of_drill(evidence)}
    sent = Counter(evidence.attempts[entry.attempt_id].verification for entry in evidence.ledger)
    return {
        "submissions": sum(sent[each] for each in rows),
        "unknown": sum(
            1 for each in evidence.attempts.values() if each.status == "unknown" and each.verification in rows
        ),
        "expired_unsent": sum(1 for row in rows.values() if row.status == "expired" and not sent[row.id]),
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
                await asyncio.shield(self._reviving[worker.name])
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
