"""`bootstrap.py`: what it refuses, when it has nothing to do, and what a cut-off run leaves."""

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).parents[2]

# Taken before a test replaces it.
INSTALL = bootstrap.install

HOLD_LOCK = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""

TAKE_LOCK = """
import sys
import bootstrap
bootstrap.LOCK = sys.argv[1]
with bootstrap.alone():
    print("mine", flush=True)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point bootstrap at a made-up checkout: two requirement files and a `.venv` that leads to this interpreter."""
    venv = tmp_path / ".venv"
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (venv / "bin" / "activate").write_text(f"VIRTUAL_ENV={venv}\n")
    (tmp_path / "requirements").mkdir()
    for name in ("runtime", "dev", "uv"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}-package==1.0\n")
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "VENV", str(venv))
    monkeypatch.setattr(bootstrap, "BIN", str(python.parent))
    monkeypatch.setattr(bootstrap, "PYTHON", str(python))
    monkeypatch.setattr(bootstrap, "STAMP", str(venv / "countersign-stamp"))
    monkeypatch.setattr(bootstrap, "LOCK", str(tmp_path / "var" / "bootstrap.lock"))
    return tmp_path


@pytest.fixture
def installed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what would be installed instead of installing it."""
    assert checkout.exists()
    done: list[str] = []
    monkeypatch.setattr(bootstrap, "install", done.append)
    return done


def test_an_old_python_is_told_what_to_do() -> None:
    with pytest.raises(bootstrap.SetupError, match=r"needs Python 3\.11 .* is 3\.6; .*PYTHON=python3\.11"):
        bootstrap.check_version((3, 6))


def test_the_oldest_supported_python_is_accepted() -> None:
    bootstrap.check_version((3, 11))


def test_an_old_python_can_parse_the_file() -> None:
    tree = ast.parse((ROOT / "bootstrap.py").read_text(), feature_version=(3, 5))

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]


def test_a_python_without_venv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(bootstrap.SetupError, match="apt install python3-venv"):
        bootstrap.check_modules()


@pytest.mark.parametrize("arguments", [[], ["all"], ["runtime", "dev"]])
def test_only_the_two_sets_can_be_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(arguments) == 2
    assert "runtime|dev" in capsys.readouterr().err


def test_the_second_run_has_nothing_to_do(installed: list[str]) -> None:
    assert bootstrap.main(["runtime"]) == 0
    assert bootstrap.main(["runtime"]) == 0

    assert installed == ["runtime"]


def test_the_larger_set_satisfies_the_smaller_and_not_the_reverse(installed: list[str]) -> None:
    bootstrap.main(["runtime"])
    bootstrap.main(["dev"])
    bootstrap.main(["runtime"])

    assert installed == ["runtime", "dev"]


def test_changed_pins_are_installed(checkout: Path, installed: list[str]) -> None:
    bootstrap.main(["runtime"])
    (checkout / "requirements" / "runtime.txt").write_text("runtime-package==2.0\n")
    bootstrap.main(["runtime"])

    assert installed == ["runtime", "runtime"]


def test_a_failed_installation_leaves_what_worked(
    checkout: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap.main(["runtime"])
    monkeypatch.setattr(bootstrap, "run", lambda _label, _command: "no network")
    monkeypatch.setattr(bootstrap, "install", INSTALL)

    assert bootstrap.main(["dev"]) == 1
    assert "no network" in capsys.readouterr().err
    assert bootstrap.main(["runtime"]) == 0
    assert (checkout / ".venv").exists()
    assert installed == ["runtime"]


def test_pip_does_the_work_when_uv_cannot(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(_label: str, command: list[str]) -> str:
        commands.append(command)
        return "no index" if Path(command[0]).name == "uv" else ""

    monkeypatch.setattr(bootstrap, "run", run)

    bootstrap.install("runtime")

    assert [Path(command[0]).name for command in commands] == ["python", "uv", "python"]
    assert all("--require-hashes" in command for command in commands)
    assert commands[-1][-1] == str(checkout / "requirements" / "runtime.txt")


@pytest.mark.parametrize("damage", ["gone", "moved", "unfinished"])
def test_a_broken_environment_is_made_anew(
    damage: str, checkout: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[bool] = []
    monkeypatch.setattr(bootstrap, "create", lambda: created.append(True))
    bootstrap.main(["runtime"])
    match damage:
        case "gone":
            (checkout / ".venv/bin/python").unlink()
        case "moved":
            (checkout / ".venv/bin/activate").write_text("VIRTUAL_ENV=/elsewhere/.venv\n")
            (checkout / ".venv/countersign-stamp").unlink()
        case _:
            (checkout / ".venv/countersign-stamp").write_text(bootstrap.UNFINISHED)

    bootstrap.main(["runtime"])

    assert created == [True]
    assert installed == ["runtime", "runtime"]


def test_a_run_waits_for_another(checkout: Path) -> None:
    (checkout / "var").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(checkout / "var" / "bootstrap.lock")], stdin=subprocess.PIPE, stdout=-1
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    waiter = subprocess.Popen(
        [sys.executable, "-c", TAKE_LOCK, str(checkout / "var" / "bootstrap.lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiter.stdout is not None

    assert "waiting" in waiter.stdout.readline()
    holder.communicate()
    assert waiter.communicate()[0] == "mine\n"


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_file_pins_everything_and_names_no_host(path: Path) -> None:
    lines = path.read_text().splitlines()
    pins = [line for line in lines if line[:1].isalnum()]

    assert pins
    assert all("==" in pin for pin in pins)
    assert all("--hash=sha256:" in following for pin, following in pairwise(lines) if pin in pins)
    assert "://" not in path.read_text()
