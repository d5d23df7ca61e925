"""Planning the message that follows by itself: within the number's limits and the caps of its account's policy."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import update

from domain.facts import Caller, VerificationFacts
from domain.messages import FailOverCause, FailOverRequest, NextStep, NextStepKind, SendOrder
from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import AccountStatus, AttemptStatus
from rules.protection.sends import GAPS_S, SHORT
from store.engine import Database
from store.guards import read_guard
from store.route_policies import put_policy
from store.tables import Account, NumberGuard, table_of
from store.times import now_plus
from store.verifications import number_of
from tests.activities.scripted import ScriptedCarrier, attempts_in, delivery, planning
from tests.building import a_caller, a_phone, a_planned_attempt, a_verification, pass_time

POLICY = RoutePolicyFacts(
    country="GB", is_allowed=True, primary_pool="GB", backups=("US",), mode=Mode.ORDERED, is_resent=True
)


async def sent(database: Database, *, caller: Caller | None = None, **policy: Any) -> VerificationFacts:
    """Return a verification whose number was sent its message a gap ago, under a policy of its account's."""
    whose = caller or await a_caller(database)
    async with database.transaction() as connection:
        await put_policy(
            connection, replace(POLICY, **policy), account_id=whose.account_id, environment=whose.environment
        )
    facts = await a_verification(database, whose, codes=0, to=a_phone())
    await a_planned_attempt(database, facts.id, verify_wait_s=25, is_resent=True)
    await submit_newest(database, facts.id)
    await pass_time(database, whose, seconds=GAPS_S[0])
    return facts


async def submit_newest(database: Database, verification: UUID) -> None:
    newest = (await attempts_in(database, verification))[-1]
    await delivery(database, ScriptedCarrier()).send(SendOrder(verification_id=verification, attempt_id=newest.id))


async def no_code(database: Database, verification: UUID) -> NextStep:
    """Say that the newest attempt's code has not come back in time."""
    newest = (await attempts_in(database, verification))[-1]
    request = FailOverRequest(verification_id=verification, attempt_id=newest.id, cause=FailOverCause.NO_CODE)
    return await planning(database).plan_next(request)


async def sends_of(database: Database, facts: VerificationFacts) -> int:
    async with database.reading() as connection:
        guard = await read_guard(connection, number_of(facts))
    assert guard is not None
    return len(guard.sends.recent_sends)


async def test_the_message_takes_the_next_route_and_one_of_the_number_s_sends(database: Database) -> None:
    facts = await sent(database)

    step = await no_code(database, facts.id)

    first, second = await attempts_in(database, facts.id)
    assert (step.kind, step.attempt and step.attempt.attempt_id) == (NextStepKind.SEND, second.id)
    assert step.reason == second.reason == "no code of alpha's message came back in time: next in pool GB"
    assert (second.carrier, second.send, second.is_resent) == ("bravo", first.send, True)
    assert (first.status, second.status) == (AttemptStatus.ACCEPTED, AttemptStatus.PLANNED)
    assert await sends_of(database, facts) == 2


async def test_the_workflow_is_told_how_long_to_wait_where_the_account_wants_it(database: Database) -> None:
    told = await no_code(database, (await sent(database, verify_wait_s=41)).id)
    otherwise = await no_code(database, (await sent(database, verify_wait_s=41, is_resent=False)).id)

    assert (told.attempt and told.attempt.code_wait_s) == 41
    assert (otherwise.attempt and otherwise.attempt.code_wait_s) == 0


async def test_asked_again_it_says_the_same_again_and_counts_one_send(database: Database) -> None:
    facts = await sent(database)
    (first,) = await attempts_in(database, facts.id)
    request = FailOverRequest(verification_id=facts.id, attempt_id=first.id, cause=FailOverCause.NO_CODE)

    steps = await asyncio.gather(*(planning(database).plan_next(request) for _ in range(4)), return_exceptions=True)
    again = await planning(database).plan_next(request)

    assert {step for step in steps if isinstance(step, NextStep)} == {again}
    assert len(await attempts_in(database, facts.id)) == 2
    assert await sends_of(database, facts) == 2


async def test_a_number_that_had_a_message_lately_is_asked_about_again_when_it_may_have_one(database: Database) -> None:
    facts = await sent(database)
    async with database.transaction() as connection:
        guard = table_of(NumberGuard)
        number = guard.c.number_hash == facts.number_hash
        await connection.execute(update(guard).where(number).values(next_send_at=now_plus(12)))

    step = await no_code(database, facts.id)

    assert (step.kind, step.reason) == (NextStepKind.WAIT, "no resend yet: the number had one lately")
    assert 11 < step.again_s <= 12
    assert len(await attempts_in(database, facts.id)) == 1


async def test_a_number_has_no_more_messages_by_itself_than_by_resends(database: Database) -> None:
    began = time.monotonic()
    facts = await sent(database)
    async with database.transaction() as connection:
        guard = table_of(NumberGuard)
        number = guard.c.number_hash == facts.number_hash
        marks = guard.c.recent_sends
        for _ in range(3):
            await connection.execute(update(guard).where(number).values(recent_sends=marks.concat(marks)))

    step = await no_code(database, facts.id)

    assert step.kind is NextStepKind.WAIT
    at_first = SHORT.length_s - GAPS_S[0]
    # As much of it has gone by as the test took at most.
    assert at_first - 1 - (time.monotonic() - began) <= step.again_s <= at_first + 1


async def test_a_locked_number_gets_none(database: Database) -> None:
    facts = await sent(database)
    async with database.transaction() as connection:
        guard = table_of(NumberGuard)
        number = guard.c.number_hash == facts.number_hash
        await connection.execute(update(guard).where(number).values(locked_until=now_plus(60)))

    step = await no_code(database, facts.id)

    assert (step.kind, step.again_s) == (NextStepKind.WAIT, 0)
    assert step.reason == "no resend: the number is locked"


async def test_a_suspended_account_sends_none(database: Database) -> None:
    caller = await a_caller(database)
    facts = await sent(database, caller=caller)
    async with database.transaction() as connection:
        account = table_of(Account)
        suspended = update(account).where(account.c.id == caller.account_id)
        await connection.execute(suspended.values(status=AccountStatus.SUSPENDED.value))

    step = await no_code(database, facts.id)

    assert (step.kind, step.reason, step.again_s) == (
        NextStepKind.WAIT,
        "no resend: the account sends nothing",
        0,
    )


async def test_the_caps_of_the_policy_hold_and_what_is_not_sent_is_not_counted(database: Database) -> None:
    of_one_attempt = await sent(database, max_attempts=1)
    of_one_carrier = await sent(database, max_carriers=1)

    steps = [await no_code(database, each.id) for each in (of_one_attempt, of_one_carrier)]

    assert [each.kind for each in steps] == [NextStepKind.WAIT] * 2
    assert {each.reason for each in steps} == {"no further route; a message may still have arrived"}
    assert [await sends_of(database, each) for each in (of_one_attempt, of_one_carrier)] == [1, 1]
