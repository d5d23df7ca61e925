"""Files that are not code: documents that name every setting, requirements that name no place."""

import pytest
from pydantic_settings import BaseSettings

from cli.settings import LaunchSettings
from domain.audit import ACTIONS
from runtime.settings import Settings
from tests.architecture.code_rules import ROOT


def not_named(settings: type[BaseSettings], document: str) -> list[str]:
    """Return the settings that a document does not name."""
    names = [f"COUNTERSIGN_{field.upper()}" for field in settings.model_fields]
    return [name for name in names if f"`{name}`" not in document]


def with_places(requirements: str) -> list[str]:
    """Return the lines that say where a package comes from; that is the user's own configuration."""
    return [
        line for line in requirements.splitlines() if "://" in line or line.startswith(("--index", "-i ", "--find"))
    ]


@pytest.mark.parametrize("settings", [Settings, LaunchSettings])
def test_every_setting_is_documented(settings: type[BaseSettings]) -> None:
    document = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert not not_named(settings, document)


def test_a_setting_that_is_not_documented_is_noticed() -> None:
    assert "COUNTERSIGN_PORT" in not_named(Settings, "`COUNTERSIGN_HOME` and `COUNTERSIGN_PORTS`")


def test_every_action_of_the_audit_trail_is_documented_with_its_meaning() -> None:
    document = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")

    assert not [action for action, meaning in ACTIONS.items() if f"| `{action}` | {meaning} |" not in document]


def test_requirements_say_nothing_about_where_packages_come_from() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))

    assert [file.name for file in files] == ["dev.txt", "runtime.txt", "uv.txt"]
    assert not [line for file in files for line in with_places(file.read_text(encoding="utf-8"))]


def test_a_place_in_the_requirements_is_noticed() -> None:
    assert with_places("a==1\n--index-url here\n") == ["--index-url here"]
    assert with_places("a @ https:" + "//somewhere/a.whl\n")


def test_every_decision_has_a_number_of_its_own_and_bears_it_in_its_title() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [file.name.partition("-")[0] for file in files]

    assert len(numbers) == len(set(numbers)) > 0
    assert all(
        file.read_text(encoding="utf-8").startswith(f"# {number}. ")
        for file, number in zip(files, numbers, strict=True)
    )
