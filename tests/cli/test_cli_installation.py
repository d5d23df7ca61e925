"""A state directory that is none is told as one, and not as a database that is away."""

import sys
from pathlib import Path

import pytest

from cli import app
from tests.keys import MASTER_KEY


@pytest.mark.parametrize(
    "command", [["account", "list"], ["keys", "status"], ["audit", "verify"], ["operator", "list"]], ids=" ".join
)
def test_a_directory_without_an_installation_is_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of(command, home=tmp_path / "elsewhere", monkeypatch=monkeypatch, capsys=capsys)

    assert "There is no installation here" in said
    assert str(tmp_path / "elsewhere" / "countersign.db") in said
    assert "COUNTERSIGN_HOME" in said
    assert not (tmp_path / "elsewhere").exists()


def test_a_database_is_not_made_in_a_directory_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of(["migrate"], home=tmp_path / "elsewhere", monkeypatch=monkeypatch, capsys=capsys)

    assert f"{tmp_path / 'elsewhere'} is no directory" in said


def refusal_of(
    command: list[str], *, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Return what a command that is refused says."""
    monkeypatch.setenv("COUNTERSIGN_HOME", str(home))
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", MASTER_KEY)
    monkeypatch.setattr(sys, "argv", ["countersign", *command])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code not in {0, None}
    return f"{stopped.value.code} {capsys.readouterr().err}"
