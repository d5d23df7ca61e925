"""F6: 32 writers compete for the database, in processes of their own, while codes are checked.

On SQLite one writes at a time and the others wait; nobody is told that the database is locked.
"""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from typing import Any

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import a_wrong_code
from bench.chaos.part import Part, Program
from bench.chaos.verdict import Plan, Verdict

_WRITERS = 32
_AT_ONCE = 8
# The design's reach, reported and not judged: another machine is another figure.
_REACH_P99_MS = 250
_TTL_S = 600


async def many_writers(site: Installation, plan: Plan) -> Verdict:
    """Check codes while the writers write; count what was refused and how long the checks took."""
    checks, processes = plan.size(short=24, long=2_000), plan.size(short=1, long=8)
    live = await _live_codes(site, checks // 2)
    programs = [site.programs.writer(number, writers=_WRITERS // processes) for number in range(processes)]
    writers = [Part(program, answers=_has_begun) for program in programs]
    try:
        await asyncio.gather(*(part.start() for part in writers))
        told = await _check_all(site, live)
    finally:
        await asyncio.gather(*(part.stop() for part in writers))
    written = Counter[str]()
    words = [_last_word(program) for program in programs]
    for said in words:
        written.update({"writes": said["done"], "writes_refused": said["refused"]})
    took_ms = sorted(each.took_s * 1000 for each in told)
    p99 = round(took_ms[len(took_ms) * 99 // 100])
    problems = [f"a write was refused: {said['first_refusal']}" for said in words if said["refused"]]
    problems += [f"a check was answered {each.status} {each.code}" for each in told if not each.is_done]
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F6",
        database=site.kind,
        done=f"{len(told)} checks beside {_WRITERS} writers in {processes} processes",
        counts={
            **written,
            "p50_ms": round(took_ms[len(took_ms) // 2]),
            "p99_ms": p99,
            "reach": "kept" if p99 <= _REACH_P99_MS else f"{_REACH_P99_MS} ms missed",
        },
        problems=problems,
    )


async def _has_begun(said: str) -> bool:
    return "writing" in said


def _last_word(program: Program) -> dict[str, Any]:
    with suppress(ValueError):
        said = json.loads(program.last_words(1))
        if isinstance(said, dict):
            return said
    return {"done": 0, "refused": 1, "first_refusal": "the writer ended without a word"}


async def _live_codes(site: Installation, count: int) -> list[tuple[str, str]]:
    """Start verifications, and return each with its code."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: str) -> tuple[str, str]:
        async with room:
            begun = await site.client.start(number, ttl_s=_TTL_S)
            return begun.verification, (await site.inbox.codes(number, within_s=30))[0]

    return await asyncio.gather(*(one(site.numbers.any()) for _ in range(count)))


async def _check_all(site: Installation, live: list[tuple[str, str]]) -> list[Exchange]:
    """Check one wrong and one right code of each verification, several at once."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(verification: str, code: str) -> list[Exchange]:
        async with room:
            return [
                await site.client.check(verification, a_wrong_code([code], 0)),
                await site.client.check(verification, code),
            ]

    pairs = await asyncio.gather(*(one(verification, code) for verification, code in live))
    return [each for pair in pairs for each in pair]
