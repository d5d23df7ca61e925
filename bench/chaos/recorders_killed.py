"""F28, its audit part: processes that record are killed at any moment; the chain is whole, and says what was done."""

import asyncio
import random
from uuid import UUID

from sqlalchemy import func, select

from bench.chaos.installation import Installation
from bench.chaos.part import Part
from bench.chaos.recorder import HOUR, scope_of
from bench.chaos.verdict import Plan, Verdict
from cli.waiting import until
from domain.audit import chain_of
from domain.ids import new_id
from security.audit_signing import AuditSigner
from services.audit_verification import AuditVerification
from store.audit_tables import AuditRow
from store.tables import Budget, table_of

_PROCESSES = 2
_SOME_MORE = 5
_WITHIN_S = 30.0
_budget, _entry = table_of(Budget), table_of(AuditRow)


async def recorders_killed(site: Installation, plan: Plan) -> Verdict:
    """Kill recorders again and again; verify the trail, and count what was done beside what was recorded."""
    account_id, rng = new_id(), plan.rng("F28A")
    parts = [Part(site.programs.recorder(number, account_id), answers=_records) for number in range(_PROCESSES)]
    kills = plan.size(short=4, long=100)
    try:
        for _ in range(kills):
            await _kill_one(site, rng.choice(parts), parts, account_id, rng)
    finally:
        await asyncio.gather(*(part.kill() for part in parts))
    recorded, done = await _counts(site, account_id)
    signer = AuditSigner(site.keys.audit_seed)
    report = await AuditVerification(site.database, public_keys={signer.kid: signer.public_key}).verify()
    problems = [f"{each.chain} {each.sequence}: {each.fault}, {each.seen}" for each in report.findings]
    if recorded != done:
        problems.append(f"{done} things were done and {recorded} recorded")
    if recorded < kills:
        problems.append(f"only {recorded} entries were written between {kills} kills, which shows nothing")
    return Verdict(
        fault="F28A",
        database=site.kind,
        done=f"{kills} kills of {_PROCESSES} processes that record on one chain",
        counts={"done": done, "recorded": recorded, "verified": report.entries, "findings": len(report.findings)},
        problems=problems,
    )


async def _kill_one(site: Installation, victim: Part, parts: list[Part], account_id: UUID, rng: random.Random) -> None:
    """Have all of them record, and kill one while they do."""
    await asyncio.gather(*(part.start() for part in parts if not part.is_running))
    goal = await _recorded(site, account_id) + rng.randint(1, _SOME_MORE)

    async def is_reached() -> bool:
        return await _recorded(site, account_id) >= goal

    await until(is_reached, what="The recorders", within_s=_WITHIN_S)
    await victim.kill()


async def _records(said: str) -> bool:
    return "recording" in said


async def _recorded(site: Installation, account_id: UUID) -> int:
    return (await _counts(site, account_id))[0]


async def _counts(site: Installation, account_id: UUID) -> tuple[int, int]:
    """Return how many entries there are and how many things were done, at one moment.

    In one statement: the server may just be committing what somebody sent who is dead by now.
    """
    entries = select(func.count()).select_from(_entry).where(_entry.c.chain == chain_of(account_id))
    done = select(_budget.c.used).where(_budget.c.scope == scope_of(account_id), _budget.c.hour == HOUR)
    query = select(entries.scalar_subquery(), func.coalesce(done.scalar_subquery(), 0))
    async with site.database.reading() as connection:
        recorded, used = (await connection.execute(query)).one()
    return int(recorded), int(used)
