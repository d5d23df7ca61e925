"""F28, keys: `keys rotate` and `keys rewrap` are killed again and again; run once more, they end what was begun."""

import asyncio
import base64
import os
import random
import signal
from uuid import UUID

from sqlalchemy import func, select

from bench.chaos.installation import Installation
from bench.chaos.keys_exchanged import rotate, unreadable
from bench.chaos.part import Program
from bench.chaos.verdict import Plan, Verdict
from domain.ids import new_id
from runtime.key_settings import key_encryption
from security.key_encryption import KeyEncryptions, LocalKey
from services.key_wrapping import key_status
from services.keys import open_keys
from store.accounts import insert_account
from store.key_tables import KeyRotation, WrappedKey
from store.tables import table_of

_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.005
_SETTLE_S = 1
_key, _rotation = table_of(WrappedKey), table_of(KeyRotation)


async def rotation_killed(site: Installation, plan: Plan) -> Verdict:
    """Kill a rotation and a rewrapping as often as planned, then let each end; nothing may be doubled or lost."""
    rng, kills = plan.rng("F28K"), plan.size(short=3, long=30)
    accounts = await _accounts_with_keys(site, plan.size(short=150, long=5_000))
    before = await _rotations(site)
    hit = [await _killed_midway(site, f"rotate-killed-{each}", rng) for each in range(kills)]
    problems = await rotate(site, "rotate-at-last", settle_s=0)
    problems += await unreadable(site)
    # A kill that came too late has let one rotation end; all others are one.
    begun, expected = await _rotations(site) - before, 1 + hit.count(False)
    if begun != expected:
        problems.append(f"{begun} rotations were begun, not {expected}")
    problems += [f"an account got {each} new keys" for each in await _others_than(site, accounts, count=expected)]
    if not any(hit):
        problems.append("no kill came while a rotation was under way")
    problems += await _rewrapped(site, rng, kills=kills)
    return Verdict(
        fault="F28K",
        database=site.kind,
        done=f"a rotation over {len(accounts)} accounts and a rewrapping killed {kills} times each",
        counts={"kills_that_hit": sum(hit), "rotations": await _rotations(site), "keys": await _count(site)},
        problems=problems,
    )


async def _accounts_with_keys(site: Installation, count: int) -> list[UUID]:
    """Make accounts, each with its first key: the longer a rotation, the more there is to be killed."""
    accounts = [new_id() for _ in range(count)]
    async with site.database.transaction() as connection:
        for each in accounts:
            await insert_account(connection, each, name="Killed")
    for each in accounts:
        await site.keys.data.of_account(each)
    return accounts


async def _killed_midway(site: Installation, name: str, rng: random.Random) -> bool:
    """Run a rotation until it has begun to give keys, kill it a moment later; say whether it was unfinished then."""
    program = site.programs.command(name, "keys", "rotate", "--settle-s", str(_SETTLE_S))
    began = await _count(site)
    await program.start()
    async with asyncio.timeout(_WITHIN_S):
        # Other processes give no event to wait for.
        while program.pid is not None and await _count(site) == began and not await _is_unfinished(site):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
    # Anywhere from the first new keys to the values sealed last.
    await asyncio.sleep(rng.uniform(0, 1.2 * _SETTLE_S))
    await _kill(program)
    return await _is_unfinished(site)


async def _kill(program: Program) -> None:
    if program.pid is not None:
        os.kill(program.pid, signal.SIGKILL)
    await program.wait()


async def _rewrapped(site: Installation, rng: random.Random, *, kills: int) -> list[str]:
    """Wrap every key with a new key-encryption key under kills, and back again, so that the others find theirs."""
    now = key_encryption(site.settings)
    assert now is not None  # noqa: S101 - the installation made one
    text = base64.b64encode(rng.randbytes(32)).decode()
    other = KeyEncryptions(LocalKey(text), (now.current,))
    told = {"COUNTERSIGN_MASTER_KEY": text, "COUNTERSIGN_MASTER_KEYS_PREVIOUS": _own_key(site)}
    for each in range(kills):
        program = site.programs.command(f"rewrap-killed-{each}", "keys", "rewrap", told=told)
        await program.start()
        while program.pid is not None and other.current.kid not in (await key_status(site.database)).wrapped_by:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
        await _kill(program)
        # Half of them wrapped by one key, half by the other: whoever has both opens all.
        await open_keys(site.database, other)
    await _to_the_end(site, "rewrap-at-last", told)
    problems = [] if set(await _wrapped_by(site)) == {other.current.kid} else ["keys were left with the key before"]
    back = {"COUNTERSIGN_MASTER_KEY": _own_key(site), "COUNTERSIGN_MASTER_KEYS_PREVIOUS": text}
    await _to_the_end(site, "rewrap-back", back)
    if set(await _wrapped_by(site)) != {now.current.kid}:
        problems.append("keys did not come back to the key of the installation")
    return problems + await unreadable(site)


async def _to_the_end(site: Installation, name: str, told: dict[str, str]) -> None:
    program = site.programs.command(name, "keys", "rewrap", told=told)
    await program.start()
    await asyncio.wait_for(program.wait(), timeout=_WITHIN_S)


async def _wrapped_by(site: Installation) -> dict[str, int]:
    return (await key_status(site.database)).wrapped_by


def _own_key(site: Installation) -> str:
    return (site.home / "master.key").read_text(encoding="ascii").strip()


async def _is_unfinished(site: Installation) -> bool:
    async with site.database.reading() as connection:
        query = select(func.count()).select_from(_rotation).where(_rotation.c.finished_at.is_(None))
        return bool((await connection.execute(query)).scalar_one())


async def _rotations(site: Installation) -> int:
    async with site.database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(_rotation))).scalar_one())


async def _count(site: Installation) -> int:
    async with site.database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(_key))).scalar_one())


async def _others_than(site: Installation, accounts: list[UUID], *, count: int) -> list[int]:
    """Return how many new keys those accounts got that got more or fewer than they should."""
    query = select(_key.c.account_id, func.count()).where(_key.c.use == "data").group_by(_key.c.account_id)
    async with site.database.reading() as connection:
        found: dict[UUID | None, int] = {row[0]: row[1] for row in await connection.execute(query)}
    return [found.get(each, 0) - 1 for each in accounts if found.get(each, 0) != 1 + count]
