"""An entry of the audit trail is of a listed action, of a fixed form, and holds nothing personal."""

from typing import Any

import pytest

from domain.audit import ACTIONS, AuditEntry, UnfitForAuditError
from rules.audit.chain import canonical_details

A_KEY = "cs_test_" + "a" * 46


def an_entry(**changes: Any) -> AuditEntry:
    values: dict[str, Any] = {"actor": "system", "action": "key.created", "subject": "key:AbCd1234", "details": {}}
    return AuditEntry(account_id=None, environment=None, **{**values, **changes})


@pytest.mark.parametrize("actor", ["key:AbCd1234", "client:web-1", "operator:0193a", "carrier:alpha", "system"])
def test_actors_are_the_five_kinds(actor: str) -> None:
    assert an_entry(actor=actor).actor == actor


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "key.invented"},
        {"action": ""},
        {"actor": "root"},
        {"actor": "key:"},
        {"actor": "system\n"},
        {"subject": ""},
        {"subject": "two words"},
        {"subject": "x" * 97},
        {"subject": "number:+447400123456"},
        {"subject": A_KEY},
        {"details": {"to": "+447400123456"}},
        {"details": {"text": "call +14155550123 now"}},
        {"details": {"key": A_KEY}},
        {"details": {"Name": 1}},
        {"details": {"ratio": 0.5}},
        {"details": {"list": [1]}},
        {"details": {"large": 2**53}},
        {"details": {"text": "x" * 201}},
        {"details": {"text": "a\x00b"}},
        {"details": {"text": "\ud800"}},
        {"details": {f"d{at}": at for at in range(21)}},
    ],
)
def test_what_is_not_of_the_form_or_looks_personal_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnfitForAuditError):
        an_entry(**changes)


def test_actions_are_dotted_and_each_says_what_it_means() -> None:
    assert [each for each in ACTIONS if each.count(".") != 1 or each != each.lower()] == []
    assert [each for each, meaning in ACTIONS.items() if not meaning.endswith(".")] == []
    assert list(ACTIONS) == sorted(ACTIONS)


def test_details_have_one_spelling_whatever_their_order() -> None:
    assert canonical_details({"b": 'q"\\', "a": "ü"}) == canonical_details({"a": "ü", "b": 'q"\\'})
    assert canonical_details({"b": 'q"\\', "a": "ü"}) == '{"a":"ü","b":"q\\"\\\\"}'
