"""F3 and F4: Temporal dies under load, or is away for long.

Checks of live codes go on; a start answers 503 within three seconds and leaves nothing behind.
"""

import asyncio
import time

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import Load, drive
from bench.chaos.looks import unsent
from bench.chaos.verdict import Plan, Verdict

_ANSWER_WITHIN_S = 3.0
# The longest life a code may have; the last moments of an absence of ten minutes are longer than that.
_TTL_S = 600
_ABOUT_TO_END_S = 10.0
_LOOK_EVERY_S = 0.1
# Temporal gives a workflow's task out again 10 s after the worker, or its word, got lost; twice a short outage is less.
_TASK_LOST_S = 15.0


async def temporal_restarted(site: Installation, plan: Plan) -> Verdict:
    """F3: kill Temporal under load and start it again; what had piled up is sent within twice the outage."""
    outages = plan.size(short=1, long=5)
    load = Load(
        count=plan.size(short=40, long=2_000), per_s=plan.size(short=10, long=20), at_once=plan.size(short=40, long=150)
    )
    driving = asyncio.create_task(drive(site, load, rng=plan.rng("F3"), name="F3"))
    problems: list[str] = []
    spans = []
    for _ in range(outages):
        await asyncio.sleep(plan.size(short=1, long=8))
        outage_s, backlog, drained_s = await _outage(site, away_s=plan.size(short=2, long=15))
        plan.say(f"away {outage_s:.1f} s, {backlog} piled up, drained in {drained_s:.1f} s")
        spans.append((round(outage_s, 1), backlog, round(drained_s, 1)))
        if drained_s > max(2 * outage_s, _TASK_LOST_S):
            problems.append(f"the backlog took {drained_s:.1f} s after an outage of {outage_s:.1f} s")
    outcomes = await driving
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F3",
        database=site.kind,
        done=f"{load.count} verifications, Temporal killed {outages} times",
        counts={"outage_s/backlog/drained_s": str(spans), **outcomes},
        problems=problems,
    )


async def _outage(site: Installation, *, away_s: float) -> tuple[float, int, float]:
    """Return how long Temporal was away, how many attempts were unsent when it was back, and how long they took."""
    since = time.monotonic()
    await site.temporal.kill()
    await asyncio.sleep(away_s)
    await site.temporal.start()
    back = time.monotonic()
    waiting = left = set(await unsent(site))
    while left and time.monotonic() - back < 60:
        await asyncio.sleep(_LOOK_EVERY_S)
        left = left.intersection(await unsent(site))
    return back - since, len(waiting), time.monotonic() - back


async def temporal_away(site: Installation, plan: Plan) -> Verdict:
    """F4: Temporal stands still, then is gone, for ten minutes in all."""
    trial = _Trial(site)
    away_s = plan.size(short=5, long=600)
    await trial.prepare(plan.size(short=4, long=60))
    site.temporal.pause()
    await trial.starts_are_refused(3)
    await trial.codes_are_checked(1)
    site.temporal.resume()
    await trial.numbers_can_be_started(after="a standstill")
    await site.temporal.kill()
    until = time.monotonic() + away_s
    while time.monotonic() < until:
        await trial.starts_are_refused(1)
        await trial.codes_are_checked(1)
        await asyncio.sleep(plan.size(short=1, long=10))
        plan.say(f"Temporal comes back in {until - time.monotonic():.0f} s")
    await site.temporal.start()
    await trial.numbers_can_be_started(after="an absence")
    trial.problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F4",
        database=site.kind,
        done=f"Temporal still, then away for {away_s} s",
        counts={
            "refused": len(trial.refused_s),
            "slowest_refusal_s": round(max(trial.refused_s), 2),
            "checked": trial.checked,
            "restarted": trial.restarted,
        },
        problems=trial.problems,
    )


class _Trial:
    """What is tried while Temporal is away, and what came of it."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._live: list[tuple[float, str, str]] = []
        self._refused: list[str] = []
        self.refused_s: list[float] = []
        self.checked = self.restarted = 0
        self.problems: list[str] = []

    async def prepare(self, count: int) -> None:
        """Have verifications whose codes have arrived."""
        numbers = [self._site.numbers.any() for _ in range(count)]
        for number in numbers:
            ends = time.monotonic() + _TTL_S - _ABOUT_TO_END_S
            begun = await self._site.client.start(number, ttl_s=_TTL_S)
            codes = await self._site.inbox.codes(number, within_s=15)
            self._live.append((ends, begun.verification, codes[0]))

    async def starts_are_refused(self, count: int) -> None:
        """Start verifications: 503 within three seconds each."""
        numbers = [self._site.numbers.any() for _ in range(count)]
        told = await asyncio.gather(*(self._start(number) for number in numbers))
        for each in told:
            self.refused_s.append(each.took_s)
            if each.code != "temporal-unavailable" or each.took_s > _ANSWER_WITHIN_S:
                self.problems.append(f"a start was answered {each.status} {each.code} after {each.took_s:.1f} s")
        self._refused += numbers
        evidence = await gather_evidence(self._site)
        if any(evidence.of_number(number) for number in numbers):
            self.problems.append("a refused start left a row behind")

    async def codes_are_checked(self, count: int) -> None:
        """Check the oldest of the codes that live, one wrong and one right each."""
        alive = [each for each in self._live if each[0] > time.monotonic()]
        self._live = alive[count:]
        for _, verification, code in alive[:count]:
            wrong = await self._site.client.check(verification, f"{(int(code) + 1) % 10**6:06}")
            right = await self._site.client.check(verification, code)
            self.checked += 2
            if wrong.answer.get("valid") is not False or right.answer.get("status") != "approved":
                self.problems.append(f"{verification}: checks answered {wrong.status} {wrong.code}, {right.status}")

    async def numbers_can_be_started(self, *, after: str) -> None:
        """Start the refused numbers, at once: nothing is counted against them."""
        for number in self._refused:
            told = await self._until_started(number)
            self.restarted += 1
            if told.status != 201:
                self.problems.append(f"after {after} a start was answered {told.status} {told.code}")
            elif not await self._site.inbox.codes(number, within_s=15):
                self.problems.append(f"after {after} no message came")
        self._refused = []

    async def _start(self, number: str) -> Exchange:
        return await self._site.client.start(number, ttl_s=_TTL_S, reference=f"F4-{time.monotonic_ns()}")

    async def _until_started(self, number: str) -> Exchange:
        """Start, again while Temporal is only just coming back."""
        deadline = time.monotonic() + 10
        while True:
            told = await self._start(number)
            if told.status != 503 or time.monotonic() > deadline:
                return told
            await asyncio.sleep(_LOOK_EVERY_S)
