"""The code keeps its rules, and each rule finds what it is there to find."""

from pathlib import PurePosixPath

import pytest

from tests.architecture import code_rules
from tests.architecture.code_rules import RULES, Rule, Source, python_files

SAID = '"""A module."""\n'
LONG = f"{SAID}def long() -> None:\n" + "    pass\n" * 300
# One file each that breaks a rule.
BROKEN: list[tuple[Rule, str, str]] = [
    (code_rules.init_is_empty, "store/__init__.py", "from store.engine import Database\n"),
    (code_rules.module_says_what_it_is_for, "store/engine.py", "x = 1\n"),
    (code_rules.file_is_short, "store/engine.py", LONG),
    (code_rules.functions_are_short, "store/engine.py", LONG),
    (code_rules.nothing_catches_everything, "store/engine.py", f"{SAID}try:\n    x = 1\nexcept:\n    pass\n"),
    (code_rules.nothing_catches_everything, "api/app.py", f"{SAID}try:\n    x = 1\nexcept Exception:\n    pass\n"),
    (
        code_rules.nothing_catches_everything,
        "worker.py",
        f"{SAID}try:\n    x = 1\nexcept (OSError, BaseException) as e:\n    pass\n",
    ),
    (code_rules.the_pure_are_pure, "rules/ranking.py", f"{SAID}import random\n"),
    (code_rules.the_pure_are_pure, "rules/ranking.py", f"{SAID}from time import monotonic\n"),
    (code_rules.the_pure_are_pure, "domain/ids.py", f"{SAID}import uuid\nx = uuid.uuid4()\n"),
    (code_rules.the_pure_are_pure, "workflows/verification.py", f"{SAID}import datetime\nx = datetime.now()\n"),
    (code_rules.the_pure_are_pure, "workflows/verification.py", f"{SAID}import secrets\n"),
    (code_rules.programs_are_not_imported, "cli/run.py", f"{SAID}from worker import Orders\n"),
    (code_rules.imports_are_absolute, "store/engine.py", f"{SAID}from .tables import Account\n"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    broken = [f"{source.path} {what}" for source in python_files() for what in rule(source)]

    assert not broken, rule.__doc__


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_broken_rule_is_noticed(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(PurePosixPath(path), text)))


def test_every_rule_is_shown_failing() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_the_rules_look_at_the_code() -> None:
    looked_at = {str(source.path) for source in python_files()}

    assert {"worker.py", "api/app.py", "workflows/verification.py", "tests/architecture/code_rules.py"} <= looked_at


def test_what_may_catch_everything_still_does() -> None:
    """An exception from a rule that is no longer needed is taken back."""
    for path in code_rules.EVERYTHING_CAUGHT:
        assert "except Exception" in (code_rules.ROOT / path).read_text(encoding="utf-8")
