"""Failures in a row belong to the number: they outlive resends and verifications, delay guesses, and lock it at 30."""

from uuid import UUID

import pytest

from domain.errors import CheckTooSoonError, DomainError, NumberLimitError, NumberLockedError
from domain.facts import Caller, GuardFacts
from services.checks import Checks
from services.sends import StartRequest
from services.verifications import Done, Verifications
from store.engine import Database
from store.guards import read_guard
from tests.building import PHONE, a_caller, code_of, number_key, pass_time, use_cases, wrong_codes

A_DAY_S, A_LIFE_S = 86_400, 600


async def guard_of(database: Database, caller: Caller) -> GuardFacts:
    async with database.reading() as connection:
        guard = await read_guard(connection, number_key(caller))
    assert guard is not None
    return guard


async def started(verifications: Verifications, caller: Caller) -> Done:
    done = await verifications.start(caller, StartRequest(to=PHONE, ttl_s=A_LIFE_S))
    assert isinstance(done, Done)
    return done


async def fail(database: Database, caller: Caller, *, times: int = 1_000) -> int:
    """Guess wrong so often, or until the number is locked, and wait whenever told to; return how many were compared."""
    parts, compared = use_cases(database), 0
    while compared < times:
        try:
            facts = (await started(parts.verifications, caller)).view.facts
            while compared < times:
                compared += await is_compared(parts.checks, caller, facts.id)
        except DomainError as refused:
            if "locked_until" in refused.fields:
                return compared
            await pass_time(database, caller, seconds=refused.retry_after_s or 0)
    await pass_time(database, caller, seconds=A_LIFE_S)
    return compared


async def is_compared(checks: Checks, caller: Caller, verification_id: UUID) -> bool:
    """Guess wrong; a refusal that says so in as many words means that nothing was compared."""
    outcome = await checks.check(caller, verification_id, wrong_codes(verification_id)[0])
    assert not outcome.valid
    return True


async def test_wrong_codes_stay_counted_over_a_resend(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = (await started(parts.verifications, caller)).view.facts
    for guess in wrong_codes(facts.id)[:2]:
        await parts.checks.check(caller, facts.id, guess)
    await pass_time(database, caller, seconds=30)

    await parts.verifications.resend(caller, facts.id)

    outcome = await parts.checks.check(caller, facts.id, wrong_codes(facts.id)[0])
    assert outcome.view.checks_left == 2


@pytest.mark.parametrize("end", ["cancel", "expire", "exhaust"])
async def test_wrong_codes_are_carried_over_to_the_number_once_however_it_ends(database: Database, end: str) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = (await started(parts.verifications, caller)).view.facts
    wrong = 5 if end == "exhaust" else 3
    for guess in wrong_codes(facts.id)[:wrong]:
        await parts.checks.check(caller, facts.id, guess)

    if end == "cancel":
        await parts.verifications.cancel(caller, facts.id)
    await pass_time(database, caller, seconds=700)
    again = (await started(parts.verifications, caller)).view.facts

    assert (await guard_of(database, caller)).failures == wrong
    assert again.failures_before == wrong


async def test_success_clears_the_failures(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller, times=7)

    facts = (await started(parts.verifications, caller)).view.facts
    await parts.checks.check(caller, facts.id, code_of(facts.id))

    guard = await guard_of(database, caller)
    assert (guard.failures, guard.next_check_at, guard.locked_until) == (0, None, None)


async def test_from_the_tenth_failure_on_each_guess_waits_longer(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller, times=9)
    waits = []

    for _ in range(3):
        facts = (await started(parts.verifications, caller)).view.facts
        for guess in wrong_codes(facts.id)[:3]:
            await parts.checks.check(caller, facts.id, guess)
            with pytest.raises(CheckTooSoonError) as refused:
                await parts.checks.check(caller, facts.id, code_of(facts.id))
            assert refused.value.retry_after_s is not None
            waits.append(refused.value.retry_after_s)
            if waits[-1] >= 480:
                break
            await pass_time(database, caller, seconds=waits[-1])
        if waits[-1] >= 480:
            break
        await parts.verifications.cancel(caller, facts.id)
        await pass_time(database, caller, seconds=601)

    assert waits == [30, 60, 120, 240, 480]


async def test_a_delay_is_carried_over_to_the_next_verification(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller, times=14)
    facts = (await started(parts.verifications, caller)).view.facts
    await parts.checks.check(caller, facts.id, wrong_codes(facts.id)[0])
    await parts.verifications.cancel(caller, facts.id)
    await pass_time(database, caller, seconds=600)

    again = (await started(parts.verifications, caller)).view.facts

    # The fifteenth failure waits 960 s, of which 600 have gone by.
    with pytest.raises(CheckTooSoonError) as refused:
        await parts.checks.check(caller, again.id, code_of(again.id))
    assert refused.value.retry_after_s == pytest.approx(360, abs=2)


async def test_no_verification_starts_that_would_end_before_its_first_guess_is_allowed(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller, times=17)

    with pytest.raises(CheckTooSoonError) as refused:
        await parts.verifications.start(caller, StartRequest(to=PHONE, ttl_s=A_LIFE_S))

    # The seventeenth failure waits an hour, of which one life has gone by and one would be the verification's own.
    assert refused.value.retry_after_s == pytest.approx(3_600 - 2 * A_LIFE_S, abs=2)


async def test_thirty_failures_in_a_row_lock_the_number_for_a_day_however_patient_the_guesser(
    database: Database,
) -> None:
    caller, parts = await a_caller(database), use_cases(database)

    compared = await fail(database, caller)

    guard = await guard_of(database, caller)
    assert compared == 30
    assert guard.failures == 30
    with pytest.raises(NumberLockedError) as refused:
        await parts.verifications.start(caller, StartRequest(to=PHONE))
    assert refused.value.retry_after_s == pytest.approx(A_DAY_S, abs=5)


async def test_a_lock_that_ran_out_starts_the_number_afresh(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller)
    await pass_time(database, caller, seconds=A_DAY_S)

    view = (await started(parts.verifications, caller)).view

    assert view.checks_left == 5
    assert view.facts.failures_before == 0
    assert (await guard_of(database, caller)).locked_until is None


async def test_an_account_lifts_a_lock(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    await fail(database, caller)
    await pass_time(database, caller, seconds=A_DAY_S / 2)

    was_known = await parts.verifications.unlock(caller, PHONE)

    assert was_known is True
    assert (await started(parts.verifications, caller)).view.checks_left == 5


async def test_a_number_gets_thirty_guesses_a_day_even_when_it_succeeds_in_between(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    compared = 0

    for _ in range(7):
        try:
            facts = (await started(parts.verifications, caller)).view.facts
        except NumberLockedError:
            break
        for guess in (*wrong_codes(facts.id)[: min(4, facts.max_checks - 1)], code_of(facts.id)):
            await parts.checks.check(caller, facts.id, guess)
            compared += 1
        await pass_time(database, caller, seconds=700)

    assert compared == 30
    await pass_time(database, caller, seconds=A_DAY_S)
    assert (await started(parts.verifications, caller)).view.checks_left == 5


async def test_ten_messages_a_day_are_told_as_the_number_s_limit(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    for _ in range(10):
        await started(parts.verifications, caller)
        await pass_time(database, caller, seconds=700)

    with pytest.raises(NumberLimitError) as refused:
        await parts.verifications.start(caller, StartRequest(to=PHONE))

    assert refused.value.fields["sends_left"] == 0
    assert refused.value.retry_after_s == pytest.approx(A_DAY_S - 7_000, abs=2)
