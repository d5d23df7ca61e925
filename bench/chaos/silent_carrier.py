"""F2 and F9: nobody heard the carrier's answer, because the worker died or the answer never came.

Such an attempt is `unknown`: it is never sent again, the next carrier is asked, and both codes are worth something.
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import text, update

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import AttemptRow, Evidence, gather_evidence
from bench.chaos.fresh_start import forget_carriers
from bench.chaos.installation import Installation
from bench.chaos.looks import in_submission, taken
from bench.chaos.verdict import Plan, Verdict
from domain.sandbox import SandboxBehaviour
from store.tables import Attempt, table_of

_TTL_S = 60
# How long the carrier thinks after it took a message; the database is held from before until after its answer.
_LATENCY_S = 1.5
# The time-out of a submission is 8 s; until then nobody may know that its worker is dead.
_SETTLED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05
_attempt = table_of(Attempt)
# A PostgreSQL server that has been handed a statement finishes it although its client is dead; so its wait is ended
# too, as a cut line would. The API's receipts wait for the same rows; the carriers post them again.
_CUT_OFF = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


async def killed_before_commit(site: Installation, plan: Plan) -> Verdict:
    """F2: have the carrier take messages and answer, keep the answers from being written, and kill the workers."""
    await forget_carriers(site)
    numbers = [site.numbers.of_gb_pool() for _ in range(plan.size(short=5, long=100))]
    for number in numbers:
        await site.control.set_behaviour(
            "alpha", behaviour=SandboxBehaviour.ACCEPT, latency_ms=int(_LATENCY_S * 1000), to=number
        )
    started = await asyncio.gather(*(site.client.start(number, ttl_s=_TTL_S) for number in numbers))
    ids = [begun.verification for begun in started]
    held = await _until(lambda: in_submission(site, ids), count=len(numbers), within_s=_LATENCY_S)
    await _kill_with_answers_unwritten(site, held)
    for worker in site.workers:
        await worker.start()
    await _until(lambda: taken(site, ids), count=len(numbers), within_s=_SETTLED_WITHIN_S)
    evidence = await gather_evidence(site)
    problems = _broken(evidence, numbers, word="abandoned") + await _approve_all(site, numbers, started)
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F2",
        database=site.kind,
        done=f"{len(numbers)} messages taken by the carrier, workers killed before its answers were written",
        counts=_figures(evidence, numbers),
        problems=problems,
    )


async def carrier_times_out(site: Installation, plan: Plan) -> Verdict:
    """F9: for 30 % of numbers the first carrier takes the message and never answers."""
    await forget_carriers(site)
    rng = plan.rng("F9")
    numbers = [site.numbers.of_gb_pool() for _ in range(plan.size(short=20, long=400))]
    silent = rng.sample(numbers, k=len(numbers) * 3 // 10)
    for number in silent:
        await site.control.set_behaviour("alpha", behaviour=SandboxBehaviour.ACCEPT_THEN_HANG, to=number)
    started = await asyncio.gather(*(site.client.start(number, ttl_s=_TTL_S) for number in numbers))
    ids = [begun.verification for begun in started]
    await _until(lambda: taken(site, ids), count=len(silent), within_s=_SETTLED_WITHIN_S)
    evidence = await gather_evidence(site)
    problems = _broken(evidence, silent, word="timeout") + await _approve_all(site, numbers, started)
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F9",
        database=site.kind,
        done=f"{len(numbers)} verifications, the carrier silent after taking {len(silent)}",
        counts=_figures(evidence, silent),
        problems=problems,
    )


async def _kill_with_answers_unwritten(site: Installation, held: list[UUID]) -> None:
    """Hold the attempts' rows (SQLite: the file) while the carrier answers; kill the workers; let go."""
    async with site.database.engine.connect() as connection:
        await connection.execute(update(_attempt).where(_attempt.c.id.in_(held)).values(carrier_code=None))
        # The carrier has answered when its latency is over; what the workers write then waits for the rows.
        await asyncio.sleep(_LATENCY_S + 0.3)
        for worker in site.workers:
            await worker.kill()
        if site.place.cluster is not None:
            await connection.execute(_CUT_OFF)
        await connection.rollback()


async def _until(look: Callable[[], Awaitable[list[UUID]]], *, count: int, within_s: float) -> list[UUID]:
    """Look until there are so many; return what was seen last, which may be fewer."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within_s
    while True:
        seen = await look()
        if len(seen) >= count or clock() > deadline:
            return seen
        await asyncio.sleep(_LOOK_EVERY_S)


def _broken(evidence: Evidence, numbers: list[str], *, word: str) -> list[str]:
    """Say of each number's first submission what is not as it should be: unknown, and followed by another carrier's."""
    problems = []
    for number in numbers:
        row = evidence.attempts[evidence.sent_to(number)[0].attempt_id]
        if row.status != "unknown" or row.carrier_code != word:
            problems.append(f"{row.id} is {row.status} ({row.carrier_code}), not unknown")
        if not any(_takes_over(other, row) for other in evidence.attempts_of(row.verification)):
            problems.append(f"{row.id} was not failed over from")
    return problems


def _takes_over(other: AttemptRow, row: AttemptRow) -> bool:
    return other.follows == row.id and other.carrier != row.carrier and other.status in {"accepted", "delivered"}


async def _approve_all(site: Installation, numbers: list[str], started: list[Exchange]) -> list[str]:
    """Check the first carrier's code at every other number, the newest at the rest; say what was not approved."""
    problems = []
    for at, (number, begun) in enumerate(zip(numbers, started, strict=True)):
        codes = await site.inbox.codes(number, within_s=10)
        answer = await site.client.check(begun.verification, codes[0 if at % 2 else -1])
        if answer.answer.get("status") != "approved":
            problems.append(f"{begun.verification}: its code was answered {answer.status} {answer.code}")
    return problems


def _figures(evidence: Evidence, numbers: list[str]) -> dict[str, int]:
    sent = [entry for number in numbers for entry in evidence.sent_to(number)]
    rows = [evidence.attempts[entry.attempt_id] for entry in sent]
    return {
        "submissions": len(sent),
        "attempts": len({entry.attempt_id for entry in sent}),
        "unknown": sum(1 for row in rows if row.status == "unknown"),
        "taken_over": sum(1 for row in rows if row.follows is not None),
    }
