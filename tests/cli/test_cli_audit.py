"""`countersign audit`: a whole trail ends with 0, a wrong one with 1 and its place, what cannot be looked at with 2."""

import asyncio
import json
import sqlite3
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from activities import audit_keeping
from cli.audit import app
from rules.audit.checkpoints import as_json, read_lines
from runtime.key_settings import key_encryption
from runtime.logs import configure_logs
from security.audit_signing import AuditSigner
from services.installation_keys import InstallationKeys
from services.keys import open_keys
from store.engine import Database
from store.migrate import migrate
from tests.building import settings
from tests.keys import MASTER_KEY, a_master_key
from tests.store.audit_attacks import open_as_attacker
from tests.store.audit_trails import a_trail, vouched_for


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", MASTER_KEY)
    asyncio.run(_write(tmp_path))
    return tmp_path


async def _write(home: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{home / 'countersign.db'}")
    await migrate(database)
    keys = await open_keys(database, key_encryption(settings(home)))
    await a_trail(database, chains=2, entries=5)
    await vouched_for(database, signer=AuditSigner(keys.audit_seed))
    await database.close()


def called(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def attacked(home: Path, statement: str) -> None:
    connection: sqlite3.Connection = open_as_attacker(str(home / "countersign.db"))
    connection.execute(statement)
    connection.close()


def test_a_whole_trail_is_told_to_be_whole(home: Path) -> None:
    assert home
    result = called("verify")

    assert result.exit_code == 0
    assert "16 entries in 3 chains, 3 checkpoints." in result.stdout
    assert "whole" in result.stdout


def test_a_changed_entry_is_told_with_its_place(home: Path) -> None:
    attacked(home, "UPDATE audit_entry SET subject = 'key:other' WHERE chain = 'instance' AND sequence = 3")

    result = called("verify")

    assert result.exit_code == 1
    assert "changed" in result.stdout
    assert [line for line in result.stdout.splitlines() if "instance" in line and " 3 " in line]


def test_a_chain_cut_off_is_told_by_the_checkpoints_kept_elsewhere(home: Path) -> None:
    elsewhere = home / "elsewhere.jsonl"
    elsewhere.write_text(called("checkpoints").stdout, encoding="utf-8")
    for table in ("audit_entry", "audit_head", "audit_checkpoint"):
        attacked(home, f"DELETE FROM {table} WHERE chain = 'instance'")

    alone, beside = called("verify"), called("verify", "--checkpoints", str(elsewhere))

    assert (alone.exit_code, beside.exit_code) == (1, 1)
    assert "truncated" in alone.stdout
    assert "truncated" in beside.stdout


@pytest.mark.parametrize("chains", ["", " WHERE chain <> 'instance'", " WHERE chain = 'instance'"])
def test_a_trail_that_was_emptied_is_not_whole(home: Path, chains: str) -> None:
    asyncio.run(_with_demo_account(home))
    whole = called("verify")
    for table in ("audit_entry", "audit_head", "audit_checkpoint"):
        attacked(home, f"DELETE FROM {table}{chains}")

    result = called("verify")

    assert (whole.exit_code, result.exit_code) == (0, 1)
    assert "truncated" in result.stdout


async def _with_demo_account(home: Path) -> None:
    """Make the account that `make run` makes."""
    database = Database(f"sqlite+aiosqlite:///{home / 'countersign.db'}")
    keys = await open_keys(database, key_encryption(settings(home)))
    await InstallationKeys(database=database, keys=keys).sandbox_key(account="demo", requests_per_s=None)
    await database.close()


async def _logged(home: Path) -> str:
    """Have every chain vouched for once more, and return what goes to the log, scrubbed and all."""
    database, told = Database(f"sqlite+aiosqlite:///{home / 'countersign.db'}"), StringIO()
    keys = await open_keys(database, key_encryption(settings(home)))
    await a_trail(database, chains=0, entries=1)
    with redirect_stderr(told):
        configure_logs(as_json=True)
        await vouched_for(database, signer=AuditSigner(keys.audit_seed))
    await database.close()
    return told.getvalue()


def test_the_worker_s_log_serves_as_checkpoints_kept_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A logger keeps the stream that it wrote to first, which was another test's.
    monkeypatch.setattr(audit_keeping, "_log", structlog.get_logger())
    log = home / "worker.log"
    log.write_text('{"event": "worker_ready", "level": "info"}\n' + asyncio.run(_logged(home)), encoding="utf-8")
    attacked(home, "DELETE FROM audit_checkpoint")
    attacked(home, "DELETE FROM audit_entry WHERE chain = 'instance'")
    attacked(home, "DELETE FROM audit_head WHERE chain = 'instance'")

    assert called("verify", "--checkpoints", str(log)).exit_code == 1


@pytest.mark.parametrize(
    "content", ["", "not json\n", '{"type": "checkpoint", "chain": "instance"}\n', '{"type": "entry"}\n', "[]\n"]
)
def test_a_file_without_whole_checkpoints_is_refused(home: Path, content: str) -> None:
    file = home / "bad.jsonl"
    file.write_text(content, encoding="utf-8")

    result = called("verify", "--checkpoints", str(file))

    assert result.exit_code == 2
    assert str(file) in result.stderr


def test_checkpoints_of_another_instance_are_told_not_to_be_ours(home: Path) -> None:
    file = home / "theirs.jsonl"
    signed = AuditSigner(bytes(range(32))).sign(read_lines(called("checkpoints").stdout.splitlines())[0])
    file.write_text(json.dumps(as_json(signed)), encoding="utf-8")

    result = called("verify", "--checkpoints", str(file))

    assert result.exit_code == 1
    assert "not signed like this" in result.stdout


def test_without_the_instance_s_own_key_nothing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", a_master_key())

    result = called("verify")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_an_export_ends_each_chain_and_is_recorded(home: Path) -> None:
    file = home / "export.jsonl"

    result = called("export", "--output", str(file))

    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert result.exit_code == 0
    assert [each["entries"] for each in lines if each["type"] == "end"] == [5, 5, 7]
    assert lines[-2]["action"] == "audit.exported"
    assert called("export", "--output", str(file)).exit_code == 2


def test_a_database_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", f"postgresql://nobody@/none?host={tmp_path}&port=5432")
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", MASTER_KEY)

    result = called("verify")

    assert result.exit_code == 2
    assert "database" in result.stderr
