"""What is told is what the API reference says: events of real lives fit the schemas of their types; others do not."""

import json
import re
from typing import Any

import pytest
from jsonschema_rs import validator_for

from api.event_reference import schema_of
from domain.event_types import EventType
from domain.events import Event
from domain.facts import Caller
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from services.sends import StartRequest
from services.verifications import Done
from store.engine import Database
from store.submissions import begin_submission
from store.verifications import conclude
from tests.architecture.code_rules import python_files
from tests.building import (
    a_caller,
    a_phone,
    a_planned_attempt,
    a_verification,
    an_attempt,
    answered,
    code_of,
    use_cases,
    wrong_codes,
)
from tests.store.test_store_events import events_of, receipt

# Where the product emits, and what makes the events of verifications and blocks.
_EMITTERS = {"services", "activities", "store"}
_MAKERS = {"domain/verification_events.py", "domain/blocks.py"}


async def lives(database: Database, caller: Caller) -> list[Event]:
    """Live through every kind of end, answer and receipt; return what the account was told."""
    parts = use_cases(database)
    done = await parts.verifications.start(caller, StartRequest(to=a_phone()))
    assert isinstance(done, Done)
    verification = done.view.facts.id
    await parts.checks.check(caller, verification, wrong_codes(verification)[0])
    await parts.checks.check(caller, verification, code_of(verification))
    spent = await a_verification(database, caller, to=a_phone(), max_checks=1)
    await parts.checks.check(caller, spent.id, wrong_codes(spent.id)[0])
    canceled = await a_verification(database, caller, to=a_phone(), codes=0)
    attempts = [await an_attempt(database, canceled.id, sequence=at) for at in range(2)]
    refused = await a_planned_attempt(database, canceled.id, sequence=2)
    async with database.transaction() as connection:
        await begin_submission(connection, refused)
    await answered(database, refused, status=SubmissionStatus.UNKNOWN, failure_class=FailureClass.UNKNOWN)
    for attempt, word in zip(attempts, (ReceiptStatus.DELIVERED, ReceiptStatus.REJECTED), strict=True):
        await receipt(database, canceled.id, attempt, word)
    await parts.verifications.cancel(caller, canceled.id)
    for status in (VerificationStatus.FAILED, VerificationStatus.EXPIRED):
        ended = await a_verification(database, caller, to=a_phone(), codes=0)
        async with database.transaction() as connection:
            await conclude(connection, ended.id, status=status, reason="as_told", failures_cap=30)
    return await events_of(database, caller)


async def test_what_is_told_fits_its_schema(database: Database) -> None:
    told = await lives(database, await a_caller(database))

    assert len({each.type for each in told}) >= 11
    for each in told:
        body: dict[str, Any] = json.loads(each.body())
        validator_for(schema_of(EventType(each.type))).validate(body)
        assert set(body["data"]) <= set(schema_of(EventType(each.type))["properties"]["data"]["properties"])


async def test_a_schema_notices_what_does_not_fit(database: Database) -> None:
    told = (await lives(database, await a_caller(database)))[0].as_told()
    validator = validator_for(schema_of(EventType.VERIFICATION_CREATED))

    for broken in (
        {**told, "version": 2},
        {**told, "sequence": None},
        {**told, "type": "verification.approved"},
        {**told, "data": {**told["data"], "country": "gb"}},
        {**told, "data": {name: told["data"][name] for name in told["data"] if name != "to"}},
    ):
        assert not validator.is_valid(broken)
    assert validator.is_valid(told)


def emitted() -> set[str]:
    """Return the names of the types that the code of the product makes events of."""
    ours = [each for each in python_files() if each.room in _EMITTERS or str(each.path) in _MAKERS]
    return {name for each in ours for name in re.findall(r"EventType\.([A-Z_]+)", each.text)}


@pytest.mark.parametrize("event_type", list(EventType), ids=lambda each: each.value)
def test_the_code_emits_every_type_that_is_described(event_type: EventType) -> None:
    assert event_type.name in emitted()
