"""Message parts: a burst leaves at the pace of its number, in the order in which its codes end, none of them late."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import update

from domain.facts import Caller, VerificationFacts
from domain.messages import FailOverCause, SendOrder, Submission
from domain.routing import NumberFacts
from domain.statuses import AttemptStatus, SubmissionStatus, VerificationStatus
from rules.routing.capacity import bucket_of, connection_bucket, number_bucket
from services.presenting import Presenter
from services.reading import Reading
from store.attempts import attempts_of, plan_attempt, read_attempt
from store.beginning import begin
from store.capacity import read_bucket, set_bucket, take_parts
from store.engine import Database
from store.plans import Routed, plan_of
from store.tables import Attempt, table_of
from store.times import now
from store.verifications import conclude, read_verification
from tests.activities.scripted import ACCEPTED, THROTTLED, ScriptedCarrier, delivery
from tests.activities.test_routes_from_pools import a_sender, begun, pending_to
from tests.building import NUMBERS, a_caller, a_phone, a_router, a_verification
from tests.store.numbering import a_country

PACE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An attempt that was planned, with its verification."""

    facts: VerificationFacts
    attempt_id: UUID


async def a_paced_sender(database: Database, country: str, *, parts_per_s: float = PACE) -> NumberFacts:
    number = await a_sender(database, country)
    async with database.transaction() as connection:
        await set_bucket(connection, number_bucket(number.id), bucket_of(parts_per_s))
    return number


async def planned(database: Database, country: str, caller: Caller, *, ttl_s: int = 300) -> Waiting:
    facts = await a_verification(database, caller, codes=0, to=a_phone(), country=country, ttl_s=ttl_s)
    return Waiting(facts=facts, attempt_id=(await begun(database, facts)).attempt_id)


async def send(database: Database, waiting: Waiting, carrier: ScriptedCarrier) -> Submission:
    order = SendOrder(verification_id=waiting.facts.id, attempt_id=waiting.attempt_id)
    return await delivery(database, carrier).send(order)


async def send_in_turn(database: Database, waiting: Waiting, carrier: ScriptedCarrier) -> Submission:
    """Come again as often as the workflow would."""
    submission = await send(database, waiting, carrier)
    while submission.wait_s:
        await asyncio.sleep(submission.wait_s)
        submission = await send(database, waiting, carrier)
    return submission


async def submitted_at(database: Database, waiting: Waiting) -> datetime:
    async with database.reading() as connection:
        found = await read_attempt(connection, waiting.attempt_id)
    assert found is not None
    assert found[1].submitting_at is not None
    return found[1].submitting_at


async def test_a_burst_leaves_at_the_pace_of_its_number(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_paced_sender(database, country)
    carrier = ScriptedCarrier(script=[ACCEPTED])
    burst = [await planned(database, country, caller) for _ in range(8)]

    submissions = await asyncio.gather(*(send_in_turn(database, each, carrier) for each in burst))

    left = sorted([await submitted_at(database, each) for each in burst])
    spans = [(b - a, (left[b] - left[a]).total_seconds()) for a, b in itertools.combinations(range(len(left)), 2)]
    assert {each.status for each in submissions} == {SubmissionStatus.ACCEPTED}
    # Nine tenths of a part are forgiven. The database's clock is read to the millisecond, once for the moment and once
    # for the bucket.
    assert min(span - (parts - 0.9) / PACE for parts, span in spans) >= -0.003


async def test_of_those_whose_turn_is_there_who_has_least_time_left_goes_first(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_paced_sender(database, country, parts_per_s=0.1)
    carrier = ScriptedCarrier(script=[ACCEPTED])
    await send(database, await planned(database, country, caller), carrier)
    burst = [await planned(database, country, caller, ttl_s=ttl_s) for ttl_s in (600, 200, 500, 150, 400, 300)]
    by_expiry = sorted(burst, key=lambda each: each.facts.expires_at)

    for each in burst:
        await send(database, each, carrier)
    waits = [(await send(database, each, carrier)).wait_s for each in by_expiry]
    await let_all_turns_come(database, number)
    first = [await begin(database, each.attempt_id) for each in reversed(by_expiry)]
    then = [await begin(database, each.attempt_id) for each in by_expiry[1:]]

    assert waits == sorted(waits)
    assert [each is not None for each in first] == [False] * 5 + [True]
    assert None not in then


async def let_all_turns_come(database: Database, number: NumberFacts) -> None:
    """Give a number as many parts as are asked for, and let the moment come that all of its line were told."""
    table = table_of(Attempt)
    waiting = update(table).where(table.c.number_id == number.id, table.c.waits_until.is_not(None))
    async with database.transaction() as connection:
        await set_bucket(connection, number_bucket(number.id), bucket_of(0.1, burst_parts=1_000))
        await connection.execute(waiting.values(waits_until=now()))


async def test_who_waits_is_told_how_long_and_who_has_less_time_is_ahead(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_paced_sender(database, country, parts_per_s=0.1)
    carrier = ScriptedCarrier(script=[ACCEPTED])
    await send(database, await planned(database, country, caller), carrier)
    long, short = [await planned(database, country, caller, ttl_s=ttl_s) for ttl_s in (600, 300)]

    before = await send(database, long, carrier)
    ahead = await send(database, short, carrier)
    behind = await send(database, long, carrier)

    assert len(carrier.messages) == 1
    assert 7 <= before.wait_s <= 10
    assert 7 <= ahead.wait_s <= 10
    assert 17 <= behind.wait_s <= 20
    async with database.reading() as connection:
        (attempt,) = await attempts_of(connection, long.facts.id)
    assert attempt.waits_until is not None
    assert attempt.status is AttemptStatus.PLANNED


async def test_a_message_whose_turn_would_come_too_late_takes_another_route(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_paced_sender(database, country, parts_per_s=0.002)
    carrier = ScriptedCarrier(script=[ACCEPTED])
    await send(database, await planned(database, country, caller), carrier)
    late = await planned(database, country, caller)
    other = await a_sender(database, country, carrier="bravo")

    submission = await send(database, late, carrier)
    async with database.transaction() as connection:
        attempts = await attempts_of(connection, late.facts.id)
        facts = await read_verification(connection, late.facts.id)
        assert facts is not None
        step = await a_router().follow(connection, facts, attempts, cause=FailOverCause.SUBMISSION)

    assert (submission.status, submission.wait_s, len(carrier.messages)) == (None, 0, 1)
    assert attempts[0].carrier_code == "no-capacity"
    assert isinstance(step, Routed)
    assert step.candidate.number_id == other.id


async def test_a_sender_with_a_long_line_is_passed_over_for_one_without(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    busy = await a_paced_sender(database, country, parts_per_s=0.1)
    await send(database, await planned(database, country, caller), ScriptedCarrier(script=[ACCEPTED]))
    idle = await a_sender(database, country, carrier="bravo", price_micros=busy.price_micros + 1)

    routed = await begun(database, await pending_to(database, country))

    assert routed.candidate.number_id == idle.id


async def a_line(database: Database, country: str, *, numbers: int, parts_per_s: float = 0.1) -> list[NumberFacts]:
    """Return numbers of one carrier whose connection has a pace, and has just taken a message."""
    region = a_country()
    made = [await a_sender(database, country, region=region) for _ in range(numbers)]
    name = connection_bucket(made[0].carrier, region=region)
    async with database.transaction() as connection:
        await set_bucket(connection, name, bucket_of(parts_per_s))
        assert await take_parts(connection, [name], parts=1)
    return made


async def planned_with(database: Database, number: NumberFacts | None, country: str, *, ttl_s: int) -> Waiting:
    """Plan a message with one number of several, or with a sender that is none."""
    waiting = await planned(database, country, await a_caller(database), ttl_s=ttl_s)
    table = table_of(Attempt)
    number_id = None if number is None else number.id
    async with database.transaction() as connection:
        await connection.execute(
            update(table).where(table.c.id == waiting.attempt_id).values(number_id=number_id, fence=1)
        )
    return waiting


async def told(database: Database, waiting: Waiting) -> float:
    submission = await send(database, waiting, ScriptedCarrier(script=[ACCEPTED]))
    assert submission.status is None
    return submission.wait_s


async def test_messages_of_all_numbers_of_a_connection_stand_in_one_line(database: Database) -> None:
    country = a_country()
    one, other = await a_line(database, country, numbers=2)
    senders = [one, other, None, one, other]
    burst = [
        await planned_with(database, sender, country, ttl_s=ttl_s)
        for sender, ttl_s in zip(senders, (600, 200, 500, 300, 400), strict=True)
    ]
    by_expiry = sorted(burst, key=lambda each: each.facts.expires_at)

    for each in burst:
        await told(database, each)
    waits = [await told(database, each) for each in by_expiry]
    await let_their_turns_come(database, one)
    first = [await begin(database, each.attempt_id) for each in reversed(by_expiry)]

    assert [round(wait / 10) for wait in waits] == [1, 2, 3, 4, 5]
    assert [each is not None for each in first] == [False] * 4 + [True]


async def let_their_turns_come(database: Database, number: NumberFacts) -> None:
    """Give a connection as many parts as are asked for, and let the moment come that all of its line were told."""
    table = table_of(Attempt)
    waiting = update(table).where(table.c.region == number.region, table.c.waits_until.is_not(None))
    name = connection_bucket(number.carrier, region=number.region)
    async with database.transaction() as connection:
        await set_bucket(connection, name, bucket_of(0.1, burst_parts=1_000))
        await connection.execute(waiting.values(waits_until=now()))


async def test_a_number_s_own_line_keeps_no_other_number_of_the_connection_waiting(database: Database) -> None:
    country = a_country()
    slow, quick = await a_line(database, country, numbers=2, parts_per_s=10)
    async with database.transaction() as connection:
        await set_bucket(connection, number_bucket(slow.id), bucket_of(0.05))
        assert await take_parts(connection, [number_bucket(slow.id)], parts=1)
    carrier = ScriptedCarrier(script=[ACCEPTED])

    for ttl_s in (200, 210, 220):
        assert await told(database, await planned_with(database, slow, country, ttl_s=ttl_s)) > 15
    submission = await send_in_turn(database, await planned_with(database, quick, country, ttl_s=600), carrier)

    assert submission.status is SubmissionStatus.ACCEPTED


async def test_what_is_told_of_a_turn_is_how_the_line_stands_now(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_line(database, country, numbers=1)
    long, short, shorter = [await planned(database, country, caller, ttl_s=ttl_s) for ttl_s in (600, 300, 200)]

    for each in (long, short, shorter):
        await told(database, each)
    reading = Reading(database=database, presenter=Presenter(NUMBERS))
    shown = [(await reading.read(caller, each.facts.id)).attempts[0] for each in (long, short, shorter)]

    waits = [((each.waits_until or each.planned_at) - each.planned_at).total_seconds() for each in shown]
    assert [round(wait / 10) for wait in waits] == [3, 2, 1]


async def test_nobody_waits_for_a_message_whose_verification_has_ended(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_line(database, country, numbers=1)
    ended, waiting = [await planned(database, country, caller, ttl_s=ttl_s) for ttl_s in (200, 600)]

    await told(database, ended)
    behind = await told(database, waiting)
    async with database.transaction() as connection:
        status, reason = VerificationStatus.CANCELED, "a_test"
        await conclude(connection, ended.facts.id, status=status, reason=reason, failures_cap=10)
    alone = await told(database, waiting)

    assert (round(behind / 10), round(alone / 10)) == (2, 1)


async def test_a_turn_that_comes_at_once_is_waited_for_without_going_away(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_paced_sender(database, country, parts_per_s=5)
    async with database.transaction() as connection:
        assert await take_parts(connection, [number_bucket(number.id)], parts=1)

    submission = await send(database, await planned(database, country, caller), ScriptedCarrier(script=[ACCEPTED]))

    assert submission.status is SubmissionStatus.ACCEPTED


async def test_a_connection_with_a_long_line_is_passed_over_for_one_without(database: Database) -> None:
    country = a_country()
    (busy,) = await a_line(database, country, numbers=1)
    idle = await a_sender(database, country, carrier="bravo", price_micros=busy.price_micros + 1)

    routed = await begun(database, await pending_to(database, country))

    assert routed.candidate.number_id == idle.id


async def test_a_carrier_s_connection_has_a_pace_of_its_own_and_slows_down_when_told(database: Database) -> None:
    country, caller, region = a_country(), await a_caller(database), a_country()
    number = await a_sender(database, country, region=region)
    name = connection_bucket(number.carrier, region=region)
    async with database.transaction() as connection:
        await set_bucket(connection, name, bucket_of(1_000))
    carrier = ScriptedCarrier(script=[THROTTLED, ACCEPTED])
    first, then = await planned(database, country, caller), await planned(database, country, caller)

    submissions = [await send_in_turn(database, each, carrier) for each in (first, then)]

    pause = await submitted_at(database, then) - await submitted_at(database, first)
    assert [each.status for each in submissions] == [SubmissionStatus.THROTTLED, SubmissionStatus.ACCEPTED]
    assert pause.total_seconds() >= 1


async def test_of_many_workers_that_begin_one_attempt_one_pays_for_it(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_paced_sender(database, country, parts_per_s=1)
    facts = await a_verification(database, caller, codes=0, to=a_phone(), country=country)
    async with database.transaction() as connection:
        routed = await a_router().begin(connection, facts, [])
        await plan_attempt(connection, plan_of(routed, verification_id=facts.id, sequence=0, send=1, after=None))

    won = [each for each in await asyncio.gather(*(begin(database, routed.attempt_id) for _ in range(8))) if each]

    async with database.reading() as connection:
        found = await read_bucket(connection, number_bucket(number.id))
    assert found is not None
    assert len(won) == 1
    assert found[0].free_at_us - found[1] <= 1_000_000


@pytest.mark.parametrize("many", [40])
async def test_of_many_messages_at_once_as_many_begin_as_there_are_parts(database: Database, many: int) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_sender(database, country)
    waiting = [await planned(database, country, caller) for _ in range(many)]
    async with database.transaction() as connection:
        await set_bucket(connection, number_bucket(number.id), bucket_of(0.01, burst_parts=7))

    begun_ones = await asyncio.gather(*(begin(database, each.attempt_id) for each in waiting))

    assert sum(each is not None for each in begun_ones) == 7
