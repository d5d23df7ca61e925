"""F26: keys are rotated while verifications run, and processes are started with a key that is not the database's.

A rotation is noticed by nobody: every answer is what it would have been without. A process with another key-encryption
key, or with none, does not start, and says which key the database wants.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import SPARE, Installation
from bench.chaos.load import Load, drive
from bench.chaos.part import Program
from bench.chaos.verdict import Plan, Verdict
from cli.ports import free_port
from security.key_encryption import LocalKey
from security.keychain import LOOK_EVERY_S
from services.key_wrapping import key_status
from store.tables import Verification, table_of

_TTL_S, _LONG_TTL_S = 60, 600
_PATIENCE_S = 60.0
# A process looks every ten seconds for what was added; a second more, and all of them have.
_SETTLE_S = LOOK_EVERY_S + 1
_verification = table_of(Verification)


async def keys_exchanged(site: Installation, plan: Plan) -> Verdict:
    """Try to start processes with the wrong key, then rotate under load, with codes sent before checked after."""
    problems = await _refused(site)
    rotations = plan.size(short=1, long=10)
    load = Load(count=rotations * plan.size(short=70, long=400), per_s=plan.size(short=5, long=20), at_once=100)
    waiting = await _live_codes(site, plan.size(short=4, long=40))
    seen = len(site.log.exchanges)
    driving = asyncio.create_task(drive(site, load, rng=plan.rng("F26"), name="F26"))
    for each in range(rotations):
        problems += await rotate(site, f"rotate-{each}", settle_s=_SETTLE_S)
        plan.say(f"{each + 1} rotations")
    outcomes = await driving
    problems += [f"a code from before was answered {told.status} {told.code}" for told in await _check(site, waiting)]
    problems += [
        f"{told.kind} was answered {told.status} {told.code}"
        for told in site.log.exchanges[seen:]
        if not told.is_done and not (told.is_problem and told.code in told.expected)
    ]
    problems += await unreadable(site)
    versions = await _versions(site)
    if len(versions) != rotations + 1:
        problems.append(f"codes were made with the versions {sorted(versions)} only")
    return Verdict(
        fault="F26",
        database=site.kind,
        done=f"{load.count} verifications while keys were rotated {rotations} times, and wrong keys at the start",
        counts={"code_keys_used": str(dict(sorted(versions.items()))), **outcomes},
        problems=problems,
    )


async def rotate(site: Installation, name: str, *, settle_s: float) -> list[str]:
    """Run `countersign keys rotate` to its end; return what went wrong."""
    program = site.programs.command(name, "keys", "rotate", "--settle-s", str(settle_s))
    await _ended(program)
    said = program.last_words()
    return [] if "otation" in said and "Traceback" not in said else [f"{name} ended with: {said}"]


async def unreadable(site: Installation) -> list[str]:
    """Return what is not as it must be after a rotation: values under older keys, or that do not open."""
    # Opened anew, with a ring that may be from before: it must find every key by itself.
    site.opened.clear()
    site.codes.clear()
    problems = broken_promises(await gather_evidence(site))
    status = await key_status(site.database)
    problems += [f"{count} values of {each} have an older key" for each, count in status.sealed_before.items() if count]
    if status.rotation is None or status.rotation.finished_at is None:
        problems.append("the rotation was not finished")
    return problems


async def _refused(site: Installation) -> list[str]:
    """Start an API and a worker with another key, and return what they did wrong."""
    other = base64.b64encode(bytes(32)).decode()
    told = {"COUNTERSIGN_MASTER_KEY": other}
    programs = [site.programs.api(SPARE[0], port=free_port(), told=told), site.programs.worker(9, told=told)]
    return [each for program in programs for each in await _must_refuse(program, LocalKey(other).kid)]


async def _must_refuse(program: Program, given: str) -> list[str]:
    await _ended(program)
    said = program.last_words(200)
    if program.pid is not None:
        await program.stop()
        return [f"{program.name} runs with another key"]
    if "wrapped by key-encryption key" not in said or given not in said:
        return [f"{program.name} does not say which key it was given and which it needs: {said[-300:]}"]
    return []


async def _ended(program: Program) -> None:
    await program.start()
    try:
        await asyncio.wait_for(program.wait(), timeout=_PATIENCE_S)
    except TimeoutError:
        await program.stop()


async def _live_codes(site: Installation, count: int) -> list[tuple[str, str]]:
    """Start verifications that outlive the rotation; return each with its code."""
    live = []
    for _ in range(count):
        number = site.numbers.any()
        begun = await site.client.start(number, ttl_s=_LONG_TTL_S)
        live.append((begun.verification, (await site.inbox.codes(number, within_s=30))[0]))
    return live


async def _check(site: Installation, live: Sequence[tuple[str, str]]) -> list[Exchange]:
    """Check codes; return the answers that are not `approved`."""
    told = [await site.client.check(verification, code) for verification, code in live]
    return [each for each in told if each.answer.get("status") != "approved"]


async def _versions(site: Installation) -> Counter[int]:
    version = _verification.c.code_key_version
    async with site.database.reading() as connection:
        rows = await connection.execute(select(version, func.count()).group_by(version))
        return Counter({row[0]: row[1] for row in rows})
