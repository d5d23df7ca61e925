"""Every statement on what belongs to an account names the account and the environment, so that none can cross."""

import types
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import sqlite

from store.tables import ApiKey, Verification, table_of
from tests.architecture.store_statements import (
    builders,
    is_about_accounts,
    modules,
    names_whose,
    says_whose,
    statements,
    tables_of_accounts,
)

_FINDS_OUT = "finds out who calls: before it there is no account"
_WORKER = "for workers, by an id that a workflow was started with; services read with the account first"
_HELD = "changes what its transaction has read, or holds, with the account"
_DISPATCHER = "a dispatcher's, by the id of the endpoint that its workflow was started with"
_UPKEEP = "upkeep, over all accounts"
_POOL = "numbers of pools are the instance's; who holds one is compared where it matters"
EXCEPTIONS = {
    "store.approvals._SELECT": "read and listed with both, unless an operator asks who named no account",
    "store.approvals.forget_old": _UPKEEP,
    "store.api_keys._DIGEST": _FINDS_OUT,
    "store.api_keys._FIND": _FINDS_OUT,
    "store.api_keys.set_request_rate": "the demonstration's own key, which was just proved by its text",
    "store.blocks._FORGET": _UPKEEP,
    "store.blocks._LIFT_OVER": _UPKEEP,
    "store.blocks._OVER": _UPKEEP,
    "store.key_sightings._NOTE_USE": "of the key that a caller was found by",
    "store.event_order.newest_place": "a place in the order of all events, and nothing of an event",
    "store.keys.newest_sealed_number": "says which key the database was encrypted with, at the start",
    "store.oauth_clients._FIND": _FINDS_OUT,
    "store.oauth_tokens._FIND": _FINDS_OUT,
    "store.oauth_tokens._FIND_SIGNED": _FINDS_OUT,
    "store.idempotency._FORGET": _UPKEEP,
    "store.reading_events._FORGET": _UPKEEP,
    "store.upkeep._FORGOTTEN": _UPKEEP,
    "store.verifications._DUE": _UPKEEP,
    "store.routing_leases._DUE": _POOL,
    "store.learning._NEW": "learns of routes from the messages of all accounts, and keeps none of them",
    "store.route_decisions._BACK": _POOL,
    "store.route_decisions._CONCERNED": "finds the accounts that are told of what became of a country's routes",
    "store.route_decisions._FORGET": _UPKEEP,
    "store.route_decisions._POOL": _POOL,
    "store.queueing._LINES": "count the lines of numbers and connections, whosever the messages are",
    "store.queueing._OF_WAITING": _WORKER,
    "store.verifications._BY_ID": _WORKER,
    "store.verifications._BY_ID_HELD": _WORKER,
    "store.verifications._CONCLUDE": _HELD,
    "store.verifications._CONCLUDE_IN_TIME": _HELD,
    "store.verifications._CONCLUDE_WHEN_DUE": _HELD,
    "store.verifications._HOLD": _HELD,
    "store.verifications._NEXT_COUNTER": _HELD,
    "store.verifications._REMOVE": _HELD,
    "store.webhook_dispatch._BY_ID": _UPKEEP,
    "store.webhook_dispatch._DUE": _DISPATCHER,
    "store.webhook_dispatch._DUE_NOW": _DISPATCHER,
    "store.webhook_dispatch._HOLD": _DISPATCHER,
    "store.webhook_dispatch._MOVE_CURSOR": _DISPATCHER,
    "store.webhook_dispatch._PASS_OVER": _UPKEEP,
    "store.webhook_dispatch._PROBE": _DISPATCHER,
    "store.webhook_dispatch.give": _DISPATCHER,
    "store.webhook_dispatch.write_state": _DISPATCHER,
    "store.webhooks._OVERDUE": _UPKEEP,
    "store.webhooks._WAKE": _UPKEEP,
    "store.webhook_deliveries._last_of_a_page": "its conditions are those of `conditions`, which names both",
    "store.webhook_deliveries.deliveries_of": "of an endpoint that its service has read with the account",
    "store.number_leases._EXPIRE": _POOL,
    "store.number_leases._RENEW_LATE": _POOL,
    "store.number_leases._RESTART": _POOL,
    "store.number_leases._WARN": _POOL,
    "store.number_upkeep._NOTE": _POOL,
    "store.number_upkeep._NOTE_SILENCE": _POOL,
    "store.number_upkeep._ORDERED": _POOL,
    "store.number_upkeep._OVERDUE": _UPKEEP,
    "store.number_upkeep._TOUCH": _POOL,
    "store.number_trials._BEGIN": _POOL,
    "store.number_trials._END": _POOL,
    "store.numbers._MOVE_UNUSED": _POOL,
    "store.number_views._FIND": _POOL,
    "store.number_views._WITH_LEASE": "the beginning of the others, which all name the environment",
    "store.number_leases._DUE": _UPKEEP,
    "store.number_leases._END": _POOL,
    "store.number_leases._FIND": _POOL,
    "store.number_leases._RENEW": _POOL,
    "store.numbers._FIND": _POOL,
    "store.numbers._MOVE": _POOL,
    "store.numbers._POOL": _POOL,
    "store.numbers._RESERVE": _POOL,
}
_verification, _key = table_of(Verification), table_of(ApiKey)
_BOTH = (_verification.c.account_id == bindparam("a"), _verification.c.environment == bindparam("e"))


def crossing() -> set[str]:
    """Return the names of statements and functions that do not say whose rows they touch."""
    found: set[str] = set()
    for module in modules():
        found |= {name for name, each in statements(module) if is_about_accounts(each) and not names_whose(each)}
        found |= {name for name, source in builders(module) if not says_whose(source, module)}
    return found


def test_every_statement_on_what_belongs_to_an_account_says_whose() -> None:
    assert sorted(crossing() - EXCEPTIONS.keys()) == []


def test_no_exception_is_left_that_is_not_needed() -> None:
    assert sorted(EXCEPTIONS.keys() - crossing()) == []


def test_the_look_sees_the_tables_and_the_statements() -> None:
    seen = [name for module in modules() for name, each in statements(module) if is_about_accounts(each)]

    assert {"verification", "api_key", "number_guard", "idempotent_request", "event"} <= tables_of_accounts()
    assert len(seen) > 40
    assert "store.checks._COUNT_GUESS" in seen
    assert {name for module in modules() for name, _ in builders(module)} >= {
        "store.api_keys.revoke_key",
        "store.listing.list_with_advice",
    }


@pytest.mark.parametrize(
    "statement",
    [
        select(_verification),
        select(_verification).where(_verification.c.id == bindparam("i")),
        select(_verification).where(_BOTH[0]),
        select(_verification).where(_BOTH[1]),
        update(_verification).values(reason="x"),
        delete(_verification).where(_verification.c.id == bindparam("i")),
        select(_key.c.digest).where(_key.c.key_id == bindparam("k")),
        sqlite.insert(_key).on_conflict_do_update(index_elements=["key_id"], set_={"name": "x"}),
    ],
)
def test_a_statement_that_could_cross_is_noticed(statement: Any) -> None:
    assert is_about_accounts(statement)
    assert not names_whose(statement)


@pytest.mark.parametrize(
    "statement", [select(_verification).where(*_BOTH), update(_verification).where(*_BOTH), insert(_verification)]
)
def test_a_statement_that_says_whose_is_fine(statement: Any) -> None:
    assert names_whose(statement)


def test_a_function_that_builds_such_a_statement_is_noticed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crossing.py").write_text(
        "from sqlalchemy import select\nfrom store.tables import ApiKey, table_of\n_key = table_of(ApiKey)\n\n\n"
        "def every_key(key_id):\n    return select(_key).where(_key.c.key_id == key_id)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    module: types.ModuleType = __import__("crossing")

    found = list(builders(module))

    assert [name for name, _ in found] == ["crossing.every_key"]
    assert not says_whose(found[0][1], module)
