"""What the product records of itself: locks, refusals, failures, forgeries, scripts, configurations, migrations."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from carriers.sandbox import SandboxReceipts
from domain.audit import AuditEntry, chain_of
from domain.errors import (
    CheckBudgetError,
    DatabaseUnavailableError,
    DomainError,
    NotFoundError,
    UnauthenticatedError,
)
from domain.facts import Caller
from domain.ids import attempt_id
from domain.statuses import Environment
from security.api_keys import make_key
from services.configuration import note_configuration
from services.receipts import Receipts
from services.refusals import HOUR_S, MINUTE_S, Refusals
from services.sends import StartRequest
from services.wrong_checks import WrongCheckBudget
from store.attempts import attempts_of
from store.audit_tables import AuditRow
from store.engine import Database
from store.migrate import head, migrate
from store.tables import table_of
from tests.building import (
    KEYS,
    FakeWorkflows,
    a_caller,
    a_key,
    a_phone,
    a_verification,
    an_attempt,
    use_cases,
    wrong_codes,
)

_entry = table_of(AuditRow)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def entries_of(database: Database, caller: Caller | None) -> list[Any]:
    """Return the entries of an account's chain, or of the instance's."""
    chain = chain_of(None if caller is None else caller.account_id)
    query = select(_entry).where(_entry.c.chain == chain).order_by(_entry.c.sequence)
    async with database.reading() as connection:
        return list((await connection.execute(query)).all())


async def told_of(database: Database, caller: Caller | None, action: str) -> list[tuple[str | None, dict[str, Any]]]:
    """Return subject and details of the entries of one action."""
    return [
        (row.subject, json.loads(row.details)) for row in await entries_of(database, caller) if row.action == action
    ]


def a_refusal(caller: Caller, **changes: Any) -> AuditEntry:
    values = {
        "actor": "key:testtest",
        "action": "send.refused",
        "subject": "number:aa",
        "details": {"rule": "too-soon"},
    }
    return AuditEntry(account_id=caller.account_id, environment=caller.environment, **{**values, **changes})


@pytest.fixture
async def caller(database: Database) -> Caller:
    return replace(await a_caller(database), actor="key:testtest")


async def test_a_thousand_refusals_of_one_kind_are_the_first_and_one_with_the_count(
    database: Database, caller: Caller
) -> None:
    clock = Clock()
    refusals = Refusals(database, clock=clock)

    for _ in range(1_000):
        refusals.note(a_refusal(caller), window_s=HOUR_S)
    await refusals.write_due()
    at_once = await told_of(database, caller, "send.refused")
    clock.now += HOUR_S
    await refusals.write_due()
    await refusals.write_due()

    counts = [details["count"] for _, details in at_once]
    assert sum(counts) == 1_000
    assert len(counts) <= 2
    assert await told_of(database, caller, "send.refused") == at_once


async def test_what_comes_within_a_window_is_written_when_it_is_over(database: Database, caller: Caller) -> None:
    clock = Clock()
    refusals = Refusals(database, clock=clock)

    for minute in range(5):
        for _ in range(20):
            refusals.note(a_refusal(caller), window_s=MINUTE_S)
            await refusals.write_due()
        clock.now = MINUTE_S * (minute + 1)
        await refusals.write_due()

    counts = [details["count"] for _, details in await told_of(database, caller, "send.refused")]
    assert sum(counts) == 100
    assert len(counts) <= 6


async def test_kinds_are_told_apart_up_to_a_bound_and_counted_together_beyond_it(
    database: Database, caller: Caller
) -> None:
    before = len(await told_of(database, None, "send.refused"))
    refusals = Refusals(database, most=10)

    for number in range(50):
        refusals.note(a_refusal(caller, subject=f"number:{number}"), window_s=HOUR_S)
    await refusals.drain()

    assert len(await told_of(database, caller, "send.refused")) == 10
    together = (await told_of(database, None, "send.refused"))[before:]
    assert together == [(None, {"count": 40})]


async def test_a_database_that_is_away_holds_nobody_up_and_nothing_is_lost(
    database: Database, caller: Caller, tmp_path: Path
) -> None:
    class Away(Database):
        is_away = True

        def transaction(self) -> Any:
            if self.is_away:
                raise DatabaseUnavailableError("away")
            return database.transaction()

    away = Away(f"sqlite+aiosqlite:///{tmp_path / 'away.db'}")
    refusals = Refusals(away)

    refusals.note(a_refusal(caller), window_s=HOUR_S)
    with pytest.raises(DatabaseUnavailableError):
        await refusals.write_due()
    refusals.note(a_refusal(caller), window_s=HOUR_S)
    away.is_away = False
    await away.close()

    assert [details["count"] for _, details in await told_of(database, caller, "send.refused")] == [2]


async def test_a_refused_send_is_recorded_with_its_rule_and_the_number_s_hash(
    database: Database, caller: Caller
) -> None:
    parts, phone = use_cases(database), a_phone()
    await parts.verifications.start(caller, StartRequest(to=phone))

    for _ in range(3):
        with pytest.raises(DomainError):
            await parts.verifications.start(caller, StartRequest(to=phone))
    await database.close()

    found = await told_of(database, caller, "send.refused")
    assert {subject for subject, _ in found} == {f"number:{KEYS.lookup_hash(phone)}"}
    assert {details["rule"] for _, details in found} == {"too-soon"}
    assert sum(details["count"] for _, details in found) == 3


async def test_accepted_sends_and_checks_are_no_entries(database: Database, caller: Caller) -> None:
    facts = await a_verification(database, caller)
    parts = use_cases(database)
    await parts.verifications.start(caller, StartRequest(to=a_phone()))
    await parts.checks.check(caller, facts.id, wrong_codes(facts.id)[0])
    await database.close()

    assert await entries_of(database, caller) == []


async def test_a_number_is_recorded_as_locked_once_and_as_unlocked_by_whom(database: Database, caller: Caller) -> None:
    phone = a_phone()
    facts = await a_verification(database, caller, to=phone, max_checks=5)
    parts = use_cases(database, failures_in_a_row=5)
    for guess in wrong_codes(facts.id)[:5]:
        await parts.checks.check(caller, facts.id, guess)

    await parts.verifications.unlock(caller, phone)
    await parts.verifications.unlock(caller, a_phone())

    subject = f"number:{KEYS.lookup_hash(phone)}"
    rows = await entries_of(database, caller)
    assert [(row.action, row.actor, row.subject) for row in rows] == [
        ("number.locked", "system", subject),
        ("number.unlocked", "key:testtest", subject),
    ]
    assert json.loads(rows[0].details) == {"failures": 5, "verification": f"ver_{facts.id.hex}"}


async def test_a_refused_key_is_recorded_by_its_id_or_by_the_address_it_came_from(database: Database) -> None:
    parts = use_cases(database)
    key, caller = await a_key(database)
    stranger = make_key(KEYS.api_keys, environment=Environment.SANDBOX)
    address = ip_address("203.0.113.7")
    before = len(await entries_of(database, None))

    for refused in (stranger.text, stranger.text, "nonsense"):
        with pytest.raises(UnauthenticatedError):
            await parts.callers.who_calls(refused, address=address)
    assert await parts.callers.who_calls(key, address=address)
    await database.close()

    found = [json.loads(row.details) for row in (await entries_of(database, None))[before:]]
    subjects = {row.subject for row in (await entries_of(database, None))[before:]}
    assert subjects == {f"key:{stranger.key_id}", f"address:{KEYS.lookup_hash('203.0.113.7')}"}
    assert sum(each["count"] for each in found) == 3
    assert await entries_of(database, caller) == []


async def test_a_used_up_budget_of_wrong_checks_is_recorded(database: Database, caller: Caller) -> None:
    budget = WrongCheckBudget(database, per_account=1)
    for _ in range(4):
        try:
            async with budget.one_guess(caller) as spending:
                spending.was_wrong = True
        except CheckBudgetError:
            continue
    await database.close()

    found = await told_of(database, caller, "checks.budget_reached")
    assert sum(details["count"] for _, details in found) == 3


async def test_a_configuration_is_recorded_when_it_differs_with_what_it_was(database: Database) -> None:
    process = f"test-{id(database)}"
    for routes in (b"one", b"one", b"two"):
        await note_configuration(database, process=process, content={"routes": routes})

    found = [
        details
        for subject, details in await told_of(database, None, "configuration.loaded")
        if subject == f"process:{process}"
    ]
    assert len(found) == 2
    assert found[0]["routes_before"] is None
    assert found[1]["routes_before"] == found[0]["routes_after"] != found[1]["routes_after"]


async def test_processes_that_start_at_once_record_a_configuration_once(database: Database) -> None:
    process = f"crowd-{id(database)}"

    await asyncio.gather(*(note_configuration(database, process=process, content={"a": b"1"}) for _ in range(10)))

    subjects = [subject for subject, _ in await told_of(database, None, "configuration.loaded")]
    assert subjects.count(f"process:{process}") == 1


async def test_a_migration_is_recorded_once(database: Database) -> None:
    await migrate(database)
    await migrate(database)

    found = await told_of(database, None, "schema.migrated")
    assert [details for _, details in found] == [{"before": None, "after": head()}]


async def test_erasing_what_names_a_person_leaves_the_chain_whole(database: Database, caller: Caller) -> None:
    await test_a_number_is_recorded_as_locked_once_and_as_unlocked_by_whom(database, caller)
    before = await entries_of(database, caller)

    async with database.transaction() as connection:
        whose = {"account": caller.account_id.hex if database.engine.dialect.name == "sqlite" else caller.account_id}
        for table in ("verification", "number_guard"):
            await connection.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), whose)

    assert await entries_of(database, caller) == before


def a_receipt(attempt: str, *, secret: str) -> tuple[bytes, dict[str, str]]:
    """Return a receipt as the sandbox's carriers send it, signed with a secret."""
    body = json.dumps({"event_id": "evt_1", "reference": attempt, "status": "delivered", "error": None}).encode()
    timestamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"x-sandbox-timestamp": timestamp, "x-sandbox-signature": signature}


async def test_a_forged_or_foreign_receipt_changes_nothing_and_is_one_entry(database: Database, caller: Caller) -> None:
    facts = await a_verification(database, caller, codes=0)
    attempt = await an_attempt(database, facts.id)
    readers = {name: SandboxReceipts(secret=f"secret of {name}") for name in ("alpha", "bravo")}
    receipts = Receipts(database=database, readers=readers, workflows=FakeWorkflows(), refusals=Refusals(database))
    named, before = attempt_id(attempt), len(await told_of(database, None, "receipt.refused"))

    for carrier, secret, refusal in (
        ("alpha", "guessed", UnauthenticatedError),
        ("bravo", "secret of bravo", NotFoundError),
    ):
        body, headers = a_receipt(named, secret=secret)
        with pytest.raises(refusal):
            await receipts.arrive(carrier, body=body, headers=headers)
    await database.close()

    found = (await told_of(database, None, "receipt.refused"))[before:]
    assert sorted(found, key=str) == sorted(
        [(None, {"why": "signature", "count": 1}), (named, {"why": "not_its_message", "count": 1})], key=str
    )
    async with database.reading() as connection:
        (unchanged,) = await attempts_of(connection, facts.id)
    assert unchanged.receipt_status is None
