"""F13: clocks ten minutes off, on the API and on the workers: a code lives as long as the database says, to a second.

Python's clock is moved in each process (`skewed.py`); the database's is right, as this process's is. On SQLite the
database's clock is that of the machine its file is on, read by SQLite itself: an installation on SQLite is one
machine with one clock, and the drill moves what could be wrong there, a process's own idea of the time.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import Evidence, gather_evidence
from bench.chaos.installation import SPARE, Installation
from bench.chaos.load import a_wrong_code
from bench.chaos.rows import bring_deadline_near
from bench.chaos.verdict import Plan, Verdict

_OFF_S = (600, -600)
_TTL_S = 30
_LEFT_S = 4
_RIGHT_TO_S = 1.0
# A row's two moments are two looks at the database's clock.
_SAME_S = 0.01
_FINISHED = "verification-finished"


async def clocks_wrong(site: Installation, plan: Plan) -> Verdict:
    """Run one API and one worker ten minutes ahead, the others ten behind; check just before and after deadlines.

    A short run moves the deadlines near and adds one wrong worker to the right one, to save the start of processes.
    """
    trial = _Trial(site, is_short=plan.is_short)
    apis = [site.api(number, clock_s=off_s) for number, off_s in zip(SPARE, _OFF_S, strict=True)]
    offsets = _OFF_S[:1] if plan.is_short else _OFF_S
    workers = [site.worker(1 + at, clock_s=off_s) for at, off_s in enumerate(offsets)]
    right_workers = [] if plan.is_short else site.workers
    try:
        await asyncio.gather(*(part.kill() for part in right_workers))
        await asyncio.gather(*(part.start() for part in (*apis, *workers)))
        await trial.run()
    finally:
        await asyncio.gather(*(part.kill() for part in (*apis, *workers)))
        await asyncio.gather(*(part.start() for part in right_workers))
    evidence = await gather_evidence(site)
    late = [] if plan.is_short else _lateness(evidence, trial.left)
    problems = trial.problems + broken_promises(evidence)
    problems += [f"a verification expired {each} s after its deadline" for each in late if not 0 <= each <= _RIGHT_TO_S]
    if len(late) != len(trial.left) and not plan.is_short:
        problems.append(f"{len(trial.left) - len(late)} were not expired by the workers")
    return Verdict(
        fault="F13",
        database=site.kind,
        done="APIs and workers 600 s ahead and behind, checks a second before and right after the deadline",
        counts={"right_before": trial.before, "right_after": trial.after, "expired_late_s": str(late)},
        problems=problems,
    )


def _lateness(evidence: Evidence, ids: list[str]) -> list[float]:
    """Return how long after its deadline each was expired."""
    rows = [evidence.verifications[each] for each in ids]
    return sorted(
        round((row.finished_at - row.expires_at).total_seconds(), 2) for row in rows if row.finished_at is not None
    )


class _Trial:
    """Verifications begun by each API, each checked by the other one around its deadline."""

    def __init__(self, site: Installation, *, is_short: bool) -> None:
        self._site = site
        self._is_short = is_short
        self.before = self.after = 0
        self.left: list[str] = []
        self.problems: list[str] = []

    async def run(self) -> None:
        """Begin two per API and way; the deadlines come together."""
        await asyncio.gather(*(self._one(api, other) for api, other in (SPARE, SPARE[::-1])))

    async def _one(self, api: int, other: int) -> None:
        early, late, left = [await self._begin(api) for _ in range(3)]
        self.left.append(left[0])
        until = await self._deadline(early)
        await _sleep_until(until - _RIGHT_TO_S)
        wrong = await self._site.client.check(early[0], a_wrong_code([early[1]], 0), via=api)
        right = await self._site.client.check(early[0], early[1], via=other)
        self.before += self._is(wrong, lambda told: told.answer.get("valid") is False, "a second before its deadline")
        self.before += self._is(
            right, lambda told: told.answer.get("status") == "approved", "a second before its deadline"
        )
        await _sleep_until(await self._deadline(late))
        gone = await self._site.client.check(late[0], late[1], via=other, expect=(_FINISHED,))
        self.after += self._is(
            gone, lambda told: told.answer.get("verification_status") == "expired", "after its deadline"
        )
        if not self._is_short:
            await _sleep_until(await self._deadline(left) + 2 * _RIGHT_TO_S)

    async def _begin(self, api: int) -> tuple[str, str]:
        """Start a verification; return its id and its code."""
        number = self._site.numbers.any()
        sent_at = time.time()
        begun = await self._site.client.start(number, ttl_s=_TTL_S, via=api)
        created, expires = (datetime.fromisoformat(begun.answer[name]) for name in ("created_at", "expires_at"))
        if not sent_at - _RIGHT_TO_S <= created.timestamp() <= time.time() + _RIGHT_TO_S:
            self.problems.append(f"{begun.verification} was created at {created.time()}, which is not now")
        if abs((expires - created).total_seconds() - _TTL_S) > _SAME_S:
            self.problems.append(f"{begun.verification} lives from {created.time()} to {expires.time()}")
        code = (await self._site.inbox.codes(number, within_s=15))[0]
        if self._is_short:
            await bring_deadline_near(self._site, begun.verification, left_s=_LEFT_S)
        return begun.verification, code

    async def _deadline(self, begun: tuple[str, str]) -> float:
        evidence = await gather_evidence(self._site)
        return evidence.verifications[begun[0]].expires_at.timestamp()

    def _is(self, told: Exchange, holds: Callable[[Exchange], bool], when: str) -> bool:
        if not holds(told):
            self.problems.append(f"{told.verification} was answered {told.status} {told.code} {when}")
        return holds(told)


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))
