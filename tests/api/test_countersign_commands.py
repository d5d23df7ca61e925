"""`./countersign`: an operator makes accounts and keys, and ends them, from the command line."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from tests.api.oauth_clients import a_pair, jwks_of
from tests.architecture.code_rules import ROOT
from tests.keys import MASTER_KEY


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("commands")
    assert run(made, "migrate").exit_code == 0
    return made


def environment(home: Path) -> dict[str, str]:
    """Return what tells a command which instance it works on: one of its own."""
    return {"COUNTERSIGN_HOME": str(home), "COUNTERSIGN_MASTER_KEY": MASTER_KEY}


def run(home: Path, *words: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(app, list(words), env=environment(home))


def script(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one command as the program that it is, from another folder than the repository."""
    command, told = [str(ROOT / "countersign"), *words], {"PATH": os.environ["PATH"], **environment(home)}
    return subprocess.run(command, cwd=home, env=told, capture_output=True, text=True, check=False, timeout=60)


def said(home: Path, *words: str) -> str:
    done = run(home, *words)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_an_account_and_its_key_are_made_listed_and_ended(home: Path) -> None:
    account = said(home, "account", "create", "ACME", "--sends-per-day", "9")
    key = said(home, "key", "create", "ACME", "--environment", "production", "--scope", "checks:write")
    listed = said(home, "key", "list", account, "--environment", "production")
    suspended = said(home, "account", "suspend", "ACME", "--reason", "unpaid")
    revoked = said(home, "key", "revoke", "ACME", key[8:16], "--environment", "production")

    assert account.startswith("acc_")
    assert key.startswith("cs_live_")
    assert listed.split()[0] == key[8:16]
    assert listed.endswith("checks:write")
    assert "suspended" in suspended
    assert "revoked" in revoked
    assert "active" in said(home, "account", "reinstate", "ACME")
    assert said(home, "account", "list").startswith(account)


def test_what_does_not_exist_is_a_sentence_and_an_exit_code(home: Path) -> None:
    done = script(home, "key", "create", "Nobody")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "There is no such account.\n"


def test_a_folder_without_an_installation_is_told_so(tmp_path: Path) -> None:
    done = script(tmp_path, "account", "list")

    assert done.returncode == 1
    assert "no installation here" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_was_not_migrated_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "countersign.db").touch()

    done = script(tmp_path, "account", "list")

    assert done.returncode == 1
    assert "countersign migrate" in done.stderr


def test_a_client_is_made_listed_and_ended(home: Path) -> None:
    account = said(home, "account", "create", "Clients Ltd")
    made = dict(
        line.split() for line in said(home, "client", "create", account, "--scope", "checks:write").splitlines()
    )
    keys = home / "jwks.json"
    keys.write_text(json.dumps(jwks_of(a_pair())), encoding="utf-8")
    signing = said(home, "client", "create", account, "--jwks-file", str(keys), "--tokens", "jwt")
    refused = run(home, "client", "create", account, "--jwks-file", str(home / "nothing.json"))
    listed = said(home, "client", "list", account)
    revoked = said(home, "client", "revoke", account, made["client_id"])

    assert made["client_secret"].startswith(f"cs_secret_{made['client_id']}")
    assert [line.split()[0] for line in signing.splitlines()] == ["client_id"]
    assert "keys    jwt" in listed
    assert "secret  opaque  checks:write" in listed
    assert "revoked" in revoked
    assert (refused.exit_code, refused.stdout) == (1, "")
