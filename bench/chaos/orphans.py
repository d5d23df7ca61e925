"""ORPHAN: the API dies between the verification's row and its workflow's start; upkeep starts or expires it in time."""

import asyncio
import time
from uuid import UUID

from temporalio.client import Client

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import VerificationRow, gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.looks import begun_or_ended
from bench.chaos.rows import let_plans_grow_old
from bench.chaos.verdict import Plan, Verdict
from store.upkeep import FORGOTTEN_AFTER_S
from workflows.upkeep import SCHEDULE_ID

_WITHIN_S = 60.0
_TTL_S = 300
_LOOK_EVERY_S = 0.02


async def orphaned_rows(site: Installation, plan: Plan) -> Verdict:
    """Kill the API while it waits for an absent Temporal with its rows committed; bring both back, and wait."""
    numbers = [site.numbers.any() for _ in range(plan.size(short=3, long=50))]
    with site.outages.of_api():
        await site.temporal.kill()
        starting = [asyncio.create_task(site.client.start(number, ttl_s=_TTL_S, via=0)) for number in numbers]
        rows = await _rows_of(site, numbers)
        await site.apis[0].kill()
        answers = await asyncio.gather(*starting)
        await asyncio.gather(site.temporal.start(), site.apis[0].start())
    back = time.monotonic()
    if plan.is_short:
        await _skip_the_wait(site.temporal_client, site, rows)
    mended = await _mended(site, rows, since=back)
    problems = _not_orphaned(answers, rows, numbers)
    if len(mended) != len(rows):
        problems.append(
            f"{len(rows) - len(mended)} of {len(rows)} were neither started nor expired in {_WITHIN_S:.0f} s"
        )
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="ORPHAN",
        database=site.kind,
        done=f"API killed with {len(numbers)} rows written and no workflow started",
        counts={"rows": len(rows), "mended": len(mended), "slowest_s": round(max(mended.values(), default=0), 1)},
        problems=problems,
    )


async def _rows_of(site: Installation, numbers: list[str]) -> list[VerificationRow]:
    """Wait until every number has its row; the API gives up two seconds after it wrote one."""
    deadline = time.monotonic() + 1.5
    rows: list[VerificationRow] = []
    while len(rows) < len(numbers) and time.monotonic() < deadline:
        evidence = await gather_evidence(site)
        rows = [row for number in numbers for row in evidence.of_number(number)]
        await asyncio.sleep(_LOOK_EVERY_S)
    return rows


async def _skip_the_wait(client: Client, site: Installation, rows: list[VerificationRow]) -> None:
    """Have the rows look old enough, and upkeep come now instead of within its twenty seconds."""
    for row in rows:
        await let_plans_grow_old(site, row.id, by_s=FORGOTTEN_AFTER_S + 1)
    await client.get_schedule_handle(SCHEDULE_ID).trigger()


async def _mended(site: Installation, rows: list[VerificationRow], *, since: float) -> dict[UUID, float]:
    """Return when each row was sent or ended, in seconds."""
    mended: dict[UUID, float] = {}
    while len(mended) < len(rows) and time.monotonic() - since < _WITHIN_S:
        for each in await begun_or_ended(site, [row.id for row in rows]):
            mended.setdefault(each, time.monotonic() - since)
        await asyncio.sleep(_LOOK_EVERY_S)
    return mended


def _not_orphaned(answers: list[Exchange], rows: list[VerificationRow], numbers: list[str]) -> list[str]:
    """Say where the drill missed: a start that was answered before the kill is no orphan."""
    problems = [f"a start was answered {each.status} before the kill" for each in answers if each.status is not None]
    return problems if len(rows) == len(numbers) else [*problems, f"only {len(rows)} rows were written in time"]
