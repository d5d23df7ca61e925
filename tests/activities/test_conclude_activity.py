"""Concluding: once, when it is due, and never over what the database holds."""

import asyncio
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from domain.facts import Caller
from domain.ids import new_id
from domain.messages import Concluded, Conclusion
from domain.statuses import VerificationStatus
from store.attempts import attempts_of
from store.engine import Database
from store.guards import read_guard
from store.proofs import approve
from tests.activities.scripted import conclusion, verification_in
from tests.building import a_caller, a_phone, a_verification, number_key, pass_time, use_cases, wrong_codes

EXPIRED, FAILED, PENDING = VerificationStatus.EXPIRED, VerificationStatus.FAILED, VerificationStatus.PENDING


async def ask(database: Database, asked: Conclusion) -> Concluded:
    return await ActivityEnvironment().run(conclusion(database).conclude, asked)


async def test_a_verification_expires_when_its_time_is_over_and_not_before(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, to=a_phone())
    asked = Conclusion(verification_id=facts.id, status=EXPIRED, reason="deadline_passed")

    early = await ask(database, asked)
    await pass_time(database, caller, seconds=early.remaining_s)
    due = await ask(database, asked)

    assert early.status is PENDING
    assert 290 < early.remaining_s < 301
    assert due == Concluded(status=EXPIRED, reason="deadline_passed")


async def test_a_failure_needs_no_deadline(database: Database) -> None:
    facts = await a_verification(database, await a_caller(database), to=a_phone())

    concluded = await ask(database, Conclusion(verification_id=facts.id, status=FAILED, reason="no_route_left"))

    assert concluded == Concluded(status=FAILED, reason="no_route_left")
    assert (await verification_in(database, facts.id)).finished_at is not None


@pytest.mark.parametrize("status", [EXPIRED, FAILED])
async def test_the_end_that_the_database_holds_stands(database: Database, status: VerificationStatus) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, to=a_phone())
    async with database.transaction() as connection:
        await approve(connection, facts, await attempts_of(connection, facts.id), counter=0)
    await pass_time(database, caller, seconds=301)

    concluded = await ask(database, Conclusion(verification_id=facts.id, status=status, reason="another"))

    assert concluded == Concluded(status=VerificationStatus.APPROVED, reason="code_proved")


async def test_a_verification_that_was_taken_back_is_none_to_conclude(database: Database) -> None:
    concluded = await ask(database, Conclusion(verification_id=new_id(), status=EXPIRED, reason="deadline_passed"))

    assert concluded == Concluded(status=FAILED, reason="withdrawn")


async def test_wrong_guesses_are_carried_over_once_however_often_it_is_concluded(database: Database) -> None:
    caller, to = await a_caller(database), a_phone()
    facts = await a_verification(database, caller, to=to)
    await guess_wrongly(database, caller, facts.id)
    asked = Conclusion(verification_id=facts.id, status=FAILED, reason="no_route_left")

    await asyncio.gather(*(ask(database, asked) for _ in range(8)))

    async with database.reading() as connection:
        guard = await read_guard(connection, number_key(caller, to=to))
    assert guard is not None
    assert guard.failures == 1


async def guess_wrongly(database: Database, caller: Caller, verification_id: UUID) -> None:
    outcome = await use_cases(database).checks.check(caller, verification_id, wrong_codes(verification_id)[0])
    assert not outcome.valid
