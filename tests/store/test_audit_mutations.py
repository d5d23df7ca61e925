"""Whatever is done to the trail by somebody with the database and without the key is noticed; all of a thousand."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from rules.audit.checkpoints import Checkpoint
from rules.audit.verifying import Fault
from store.engine import Database
from store.migrate import migrate
from tests.store import audit_attacks
from tests.store.audit_attacks import ATTACKS, Attack, open_as_attacker
from tests.store.audit_trails import a_trail, an_entry, recorded, verified, vouched_for

SEED, MUTATIONS = 20261124, 1_000


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[Checkpoint]]:
    file = tmp_path_factory.mktemp("trail") / "trail.db"
    return file, asyncio.run(written(file))


async def written(file: Path) -> Sequence[Checkpoint]:
    """Write a trail with checkpoints in the middle and at the end; return them as they were exported."""
    database = Database(f"sqlite+aiosqlite:///{file}")
    await migrate(database)
    accounts = await a_trail(database, chains=2, entries=6)
    await vouched_for(database)
    for account in accounts:
        await recorded(database, *(an_entry(account, details={"later": at}) for at in range(3)))
    exported = await vouched_for(database)
    await database.close()
    return exported


async def faults_after(
    attack: Attack | None, rng: random.Random, file: Path, exported: Sequence[Checkpoint]
) -> set[Fault]:
    """Return what is found in a copy of the trail after an attack."""
    copy = file.with_name("copy.db")
    shutil.copy(file, copy)
    connection = open_as_attacker(str(copy))
    if attack is not None:
        attack(connection, rng)
    connection.close()
    database = Database(f"sqlite+aiosqlite:///{copy}")
    report = await verified(database, list(exported))
    await database.close()
    return {each.fault for each in report.findings}


async def test_a_trail_that_nobody_touched_is_whole(trail: tuple[Path, Sequence[Checkpoint]]) -> None:
    assert await faults_after(None, random.Random(SEED), *trail) == set()


@pytest.mark.timeout(600)
async def test_each_of_1000_random_mutations_is_noticed(trail: tuple[Path, Sequence[Checkpoint]]) -> None:
    rng, unnoticed, kinds = random.Random(SEED), list[str](), Counter[str]()

    for number in range(MUTATIONS):
        attack = ATTACKS[number % len(ATTACKS)]
        if not await faults_after(attack, rng, *trail):
            unnoticed.append(f"{number}: {attack.__name__}")
        kinds[attack.__name__] += 1

    assert unnoticed == []
    assert kinds.total() == MUTATIONS
    assert len(kinds) == len(ATTACKS)


@pytest.mark.parametrize(
    ("attack", "fault"),
    [
        (audit_attacks.cut_the_tail_off, Fault.TRUNCATED),
        (audit_attacks.rebuild_the_chain, Fault.REBUILT),
        (audit_attacks.remove_a_chain, Fault.TRUNCATED),
    ],
)
async def test_what_only_an_exported_checkpoint_can_show_is_not_seen_without_one(
    attack: Attack, fault: Fault, trail: tuple[Path, Sequence[Checkpoint]]
) -> None:
    file, exported = trail

    with_it = await faults_after(attack, random.Random(3), file, exported)
    without = await faults_after(attack, random.Random(3), file, [])

    assert fault in with_it
    assert without == set()
