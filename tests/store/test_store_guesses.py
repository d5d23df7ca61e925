"""A guess is counted before it is compared: exactly as many as are allowed, however many guess at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from domain.errors import DomainError, TooSoonError, VerificationFinishedError
from domain.facts import Caller, VerificationFacts
from domain.statuses import VerificationStatus
from services.checks import Checks
from store.attempts import attempts_of
from store.engine import Database
from store.starts import insert_verification
from store.tables import Verification, table_of
from store.times import now_plus
from store.verifications import read_verification
from tests.building import (
    a_caller,
    a_new_row,
    a_planned_attempt,
    a_verification,
    an_attempt,
    code_of,
    pass_time,
    use_cases,
    wrong_codes,
)
from tests.store.crowd import PROCESSES, Crowd
from tests.store.tasks import check_25_times, guess_25_times


async def facts_of(database: Database, verification_id: UUID) -> VerificationFacts:
    async with database.reading() as connection:
        facts = await read_verification(connection, verification_id)
    assert facts is not None
    return facts


async def told(checks: Checks, caller: Caller, verification_id: UUID, guess: str) -> str:
    """Return the answer to a guess as one word: the status it left, or the refusal's code."""
    try:
        outcome = await checks.check(caller, verification_id, guess)
    except DomainError as refusal:
        return refusal.code
    assert outcome.valid is (outcome.view.facts.status_now is VerificationStatus.APPROVED)
    return outcome.view.facts.status_now.value


async def test_a_number_has_one_pending_verification_per_account_and_environment(database: Database) -> None:
    caller, other = await a_caller(database), await a_caller(database)
    await a_verification(database, caller)
    await a_verification(database, other)

    with pytest.raises(TooSoonError):
        await a_verification(database, caller)


async def test_twenty_inserts_at_once_leave_one_pending_verification(database: Database) -> None:
    caller = await a_caller(database)

    async def insert() -> VerificationFacts:
        async with database.transaction() as connection:
            new = await a_new_row(caller)
            await insert_verification(connection, new)
            return new.facts(person_salt=None)

    answers = await asyncio.gather(*(insert() for _ in range(20)), return_exceptions=True)

    assert Counter(type(each) for each in answers) == {VerificationFacts: 1, TooSoonError: 19}


async def test_of_100_wrong_guesses_at_once_from_several_processes_exactly_max_checks_are_counted(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)

    counted = crowd.run(guess_25_times, url=database_url, argument=(caller, verification.id))

    assert len(counted) == PROCESSES
    assert sum(counted) == verification.max_checks
    assert (await facts_of(database, verification.id)).checks == verification.max_checks


async def test_of_100_wrong_codes_checked_at_once_by_several_processes_exactly_max_checks_are_compared(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)
    guess = (caller, verification.id, wrong_codes(verification.id)[0])

    answers = sum(crowd.run(check_25_times, url=database_url, argument=guess), Counter())

    assert answers == {"False pending": 4, "False max_attempts_reached": 1, "verification-finished": 95}


async def test_100_right_codes_at_once_by_several_processes_are_all_approved_by_one_transition(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)
    guess = (caller, verification.id, code_of(verification.id))

    answers = sum(crowd.run(check_25_times, url=database_url, argument=guess), Counter())

    facts = await facts_of(database, verification.id)
    assert answers == {"True approved": 100}
    assert (facts.status, facts.checks) == (VerificationStatus.APPROVED, 1)


async def test_a_right_code_beside_a_wrong_one_is_never_refused_with_two_checks_left(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    right = []
    for at in range(10):
        verification = await a_verification(database, caller, to=f"+4479112000{at:02d}", max_checks=2)
        guesses = [wrong_codes(verification.id)[0], code_of(verification.id)]
        answers = await asyncio.gather(*(told(checks, caller, verification.id, guess) for guess in guesses))
        right.append(answers[1])

    assert right == ["approved"] * 10


async def test_a_code_is_accepted_a_second_before_the_deadline_and_refused_at_it(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    in_time = await a_verification(database, caller, to="+447911200001")
    too_late = await a_verification(database, caller, to="+447911200002")
    await ends_in(database, in_time.id, seconds=1)
    await ends_in(database, too_late.id, seconds=0)

    answers = [await told(checks, caller, each.id, code_of(each.id)) for each in (in_time, too_late)]

    assert answers == ["approved", "verification-finished"]


async def ends_in(database: Database, verification_id: UUID, *, seconds: int) -> None:
    """Have a verification's deadline stand so many seconds from the database's now."""
    table = table_of(Verification)
    async with database.transaction() as connection:
        await connection.execute(
            update(table).where(table.c.id == verification_id).values(expires_at=now_plus(seconds))
        )


async def test_a_guess_after_the_deadline_is_not_counted(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)
    await pass_time(database, caller, seconds=300)

    with pytest.raises(VerificationFinishedError) as refused:
        await use_cases(database).checks.check(caller, verification.id, wrong_codes(verification.id)[0])

    assert refused.value.fields["verification_status"] == "expired"
    assert refused.value.fields["reason"] == "deadline_passed"
    assert (await facts_of(database, verification.id)).checks == 0


async def test_the_three_newest_codes_are_alive_and_the_fourth_newest_is_not(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    answers = {}

    for counter in range(4):
        verification = await a_verification(database, caller, to=f"+4479112000{counter:02d}", codes=4)
        answers[counter] = await told(checks, caller, verification.id, code_of(verification.id, counter=counter))

    assert answers == {0: "pending", 1: "approved", 2: "approved", 3: "approved"}


async def test_the_code_of_a_message_that_was_never_begun_proves_nothing(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller, codes=1)
    await a_planned_attempt(database, verification.id, sequence=1)

    answer = await told(use_cases(database).checks, caller, verification.id, code_of(verification.id, counter=1))

    assert answer == "pending"


async def test_the_proved_attempt_is_the_one_whose_code_came_back(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller, codes=2)

    await use_cases(database).checks.check(caller, verification.id, code_of(verification.id, counter=0))

    async with database.reading() as connection:
        attempts = await attempts_of(connection, verification.id)
    assert [each.proved_at is not None for each in attempts] == [True, False]


async def test_a_right_code_again_is_approved_again_and_counts_nothing(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    verification = await a_verification(database, caller)

    answers = [await told(checks, caller, verification.id, code_of(verification.id)) for _ in range(20)]

    assert answers == ["approved"] * 20
    assert (await facts_of(database, verification.id)).checks == 1
    assert await replays_of(database, verification.id) == 0


async def test_wrong_codes_after_the_approval_are_counted_and_stop_the_comparing(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    verification = await a_verification(database, caller)
    await checks.check(caller, verification.id, code_of(verification.id))

    wrong = [await told(checks, caller, verification.id, guess) for guess in wrong_codes(verification.id)[:7]]

    assert wrong == ["verification-finished"] * 7
    assert await replays_of(database, verification.id) == verification.max_checks


async def replays_of(database: Database, verification_id: UUID) -> int:
    table = table_of(Verification)
    async with database.reading() as connection:
        return int(
            (await connection.execute(select(table.c.replays).where(table.c.id == verification_id))).scalar_one()
        )


async def test_another_account_s_verification_does_not_exist(database: Database) -> None:
    caller, other = await a_caller(database), await a_caller(database)
    verification = await a_verification(database, caller)

    answer = await told(use_cases(database).checks, other, verification.id, code_of(verification.id))

    assert answer == "not-found"
    assert (await facts_of(database, verification.id)).checks == 0


async def test_what_could_not_be_a_code_is_refused_and_not_counted(database: Database) -> None:
    caller = await a_caller(database)
    checks = use_cases(database).checks
    verification = await a_verification(database, caller)

    answers = {
        await told(checks, caller, verification.id, guess)
        for guess in ("", "123", "12345678901", "12 456", "12345\n", "١٢٣٤٥٦", "12345a", "-12345")
    }

    assert answers == {"invalid-request"}
    assert (await facts_of(database, verification.id)).checks == 0


async def test_moments_are_the_database_s_and_in_utc(database: Database) -> None:
    caller = await a_caller(database)

    verification = await a_verification(database, caller)

    assert verification.created_at.tzinfo is not None
    assert abs((datetime.now(UTC) - verification.created_at).total_seconds()) < 30
    assert round((verification.expires_at - verification.created_at).total_seconds()) == 300


async def test_a_moment_without_a_time_zone_does_not_go_into_the_database(database: Database) -> None:
    caller = await a_caller(database)

    with pytest.raises(Exception, match="without a time zone"):
        await a_verification(database, caller, next_check_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of it


async def test_an_attempt_s_counter_is_given_once(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)

    with pytest.raises(IntegrityError):
        await an_attempt(database, verification.id, sequence=0)
