"""`./countersign keys`, and what every process does at its start with a key that is missing or wrong."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.ports import free_port
from security.key_encryption import KeyEncryptions, LocalKey
from security.keyring import KeyUse
from services import key_rotation
from services.keys import open_keys
from store.engine import Database
from store.migrate import migrate
from tests.architecture.code_rules import ROOT
from tests.keys import a_master_key

MASTER, OTHER = a_master_key(), a_master_key()
# One key for each use but the accounts' own, and those that a rotation gives a second version.
OF_INSTANCE, ROTATED = len(set(KeyUse) - {KeyUse.DATA}), len(key_rotation.ROTATED)
PROCESSES = {
    "api": ("-m", "api.serve"),
    "worker": (str(ROOT / "worker.py"),),
    "command": ("-m", "cli", "key", "create", "ACME"),
    "make run": ("-m", "cli.run"),
}


def environment(home: Path, **keys: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_PORT": str(free_port()),
        "COUNTERSIGN_TEMPORAL_PORT": str(free_port()),
        "COUNTERSIGN_TEMPORAL_UI_PORT": str(free_port()),
        **keys,
    }


def run(home: Path, *words: str, **keys: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *words]
    return subprocess.run(
        command, cwd=home, env=environment(home, **keys), capture_output=True, text=True, check=False, timeout=60
    )


def said(home: Path, *words: str, **keys: str) -> str:
    done = run(home, *words, **keys)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an instance with keys wrapped by MASTER."""
    asyncio.run(_made(f"sqlite+aiosqlite:///{tmp_path / 'countersign.db'}"))
    return tmp_path


async def _made(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await open_keys(database, KeyEncryptions(LocalKey(MASTER)))
    await database.close()


def test_keys_are_rotated_and_wrapped_anew_and_their_state_is_told(home: Path) -> None:
    before = said(home, "keys", "status", COUNTERSIGN_MASTER_KEY=MASTER)
    rotated = said(home, "keys", "rotate", "--settle-s", "0", COUNTERSIGN_MASTER_KEY=MASTER)
    both = {"COUNTERSIGN_MASTER_KEY": OTHER, "COUNTERSIGN_MASTER_KEYS_PREVIOUS": MASTER}
    rewrapped = said(home, "keys", "rewrap", **both)
    after = said(home, "keys", "status", COUNTERSIGN_MASTER_KEY=OTHER)

    old, new = LocalKey(MASTER).kid, LocalKey(OTHER).kid
    assert f"keys wrapped by            {old}: {OF_INSTANCE}" in before
    assert "rotation                   none so far" in before
    assert rotated.startswith("Rotation 1: 0 accounts")
    assert rewrapped == f"{OF_INSTANCE + ROTATED} keys wrapped anew; every key is wrapped by {new} now.\n"
    assert f"keys wrapped by            {new}: {OF_INSTANCE + ROTATED}" in after
    assert "version of codes           2" in after
    assert "version of lookup          1" in after


def test_the_state_is_told_without_the_right_key_and_with_another_exit_code(home: Path) -> None:
    done = run(home, "keys", "status", COUNTERSIGN_MASTER_KEY=OTHER)

    assert done.returncode == 1
    assert f"given   {LocalKey(OTHER).kid}" in done.stdout
    assert f"wrapped by            {LocalKey(MASTER).kid}: {OF_INSTANCE}" in done.stdout


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("given", [{}, {"COUNTERSIGN_MASTER_KEY": OTHER}], ids=["none", "another"])
def test_no_process_starts_with_a_missing_or_wrong_key_and_each_names_both(
    home: Path, process: str, given: dict[str, str]
) -> None:
    command = [sys.executable, *PROCESSES[process]]
    done = subprocess.run(
        command, cwd=home, env=environment(home, **given), capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode != 0
    assert f"key-encryption key {LocalKey(MASTER).kid}" in done.stderr
    assert (LocalKey(OTHER).kid if given else "none was given") in done.stderr
    assert not (home / "master.key").exists()
    if process != "api":
        assert "Traceback" not in done.stderr
