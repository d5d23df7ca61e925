"""Who may import whom: the contracts hold, cover everything, and would notice."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.code_rules import ROOT

LINT = Path(sys.executable).with_name("lint-imports")
# One import for each contract that it breaks.
FORBIDDEN = {
    "Layers point one way": ("domain/ids.py", "import store.engine"),
    "The HTTP edge calls services only": ("api/v1/answers.py", "import store.engine"),
    "Workflows know activities and words, nothing else": ("workflows/upkeep.py", "import store.engine"),
    "Only composition roots use what is wired from settings": ("services/checks.py", "import runtime.settings"),
    "Only composition roots read settings": ("carriers/null.py", "import pydantic_settings"),
    "What is wired knows the parts, not those who use them": ("runtime/logs.py", "import services.checks"),
    "Programs are started, not imported": ("services/reading.py", "import cli.run"),
    "Rules and words are pure": ("rules/routing/catalog.py", "import asyncio"),
    "The sandbox carriers stand apart, as the outside world does": ("sandbox/magic.py", "import carriers.null"),
}


def contracts() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = settings["tool"]["importlinter"]
    return found


def lint(root: Path) -> str:
    """Return what import-linter says of a tree, in one line per contract."""
    command = [str(LINT), "--no-cache", "--config", str(root / "pyproject.toml")]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the code, to be spoilt."""
    for package in contracts()["root_packages"]:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=lambda _, names: {n for n in names if n == "__pycache__"}
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    said = lint(ROOT)

    assert f"Contracts: {len(FORBIDDEN)} kept, 0 broken" in said, said


def test_every_contract_notices_what_it_forbids(copy: Path) -> None:
    for path, line in FORBIDDEN.values():
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")

    said = lint(copy)

    kept = [name for name in FORBIDDEN if f"{name} BROKEN" not in said]
    assert not kept, said
    assert {each["name"] for each in contracts()["contracts"]} == set(FORBIDDEN)


def test_every_package_on_disk_is_in_the_contracts() -> None:
    on_disk = {each.parent.name for each in ROOT.glob("*/__init__.py")}

    assert on_disk == set(contracts()["root_packages"])
    assert not [each for each in ROOT.glob("*/*.py") if each.parent.name not in on_disk | {"tests", "var"}]
