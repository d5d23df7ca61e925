"""What becomes of messages is learnt once, whoever looks: breakers, conversion, timers, records of numbers."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from carriers.protocol import Answer
from domain.facts import Caller
from domain.messages import SendOrder
from domain.routing import NumberFacts
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus
from rules.routing.breaker import BreakerState
from rules.routing.learning import UNPROVED_AFTER_S, Health
from services.route_learning import RouteLearning
from store.attempts import attempts_of
from store.engine import Database
from store.learning import read_numbers
from store.proofs import approve
from store.route_health import CONNECTIONS, read_health
from store.route_tables import RouteHealth
from store.submissions import record_receipt
from store.tables import Attempt, table_of
from store.times import UtcDateTime, now_plus
from store.verifications import read_verification
from tests.activities.scripted import ACCEPTED, REFUSED, SILENT, THROTTLED, ScriptedCarrier, delivery
from tests.activities.test_routes_from_pools import a_sender, begun, pending_to
from tests.building import FakeJudges, a_caller, a_router
from tests.store.numbering import SANDBOX, a_country


@pytest.fixture
def database(own_database: Database) -> Database:
    """Learn of nobody else's messages: what is known of a carrier's connection is shared by all."""
    return own_database


async def a_message(
    database: Database, country: str, caller: Caller, *, answer: Any = ACCEPTED, is_proved: bool = False
) -> Any:
    """Return the attempt of a message that was answered so, and proved if it says so."""
    facts = await pending_to(database, country, caller)
    routed = await begun(database, facts)
    order = SendOrder(verification_id=facts.id, attempt_id=routed.attempt_id)
    await delivery(database, ScriptedCarrier(script=[answer])).send(order)
    if is_proved:
        async with database.transaction() as connection:
            sent = await read_verification(connection, facts.id)
            assert sent is not None
            await approve(connection, sent, await attempts_of(connection, facts.id), counter=0)
    return routed.attempt_id


async def let_it_be_late(database: Database, number: NumberFacts) -> None:
    """Let so much time pass for a number's messages that those not proved count as such."""
    table, moments = table_of(Attempt), [c for c in table_of(Attempt).c if isinstance(c.type, UtcDateTime)]
    async with database.transaction() as connection:
        rows = (await connection.execute(select(table).where(table.c.number_id == number.id))).mappings().all()
        for row in rows:
            earlier = {
                column.name: row[column.name] - timedelta(seconds=UNPROVED_AFTER_S)
                for column in moments
                if row[column.name] is not None
            }
            await connection.execute(update(table).where(table.c.id == row["id"]).values(**earlier))


async def known_of(database: Database, country: str) -> Health:
    async with database.reading() as connection:
        (known,) = (await read_health(connection, country, environment=SANDBOX)).values()
    return known


async def learn_all(database: Database) -> None:
    while await RouteLearning(database=database).learn():
        continue


async def test_a_code_that_came_back_is_learnt_at_once_and_one_that_did_not_when_it_is_late(
    database: Database,
) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_sender(database, country)
    await a_message(database, country, caller, is_proved=True)
    await a_message(database, country, caller)

    await learn_all(database)
    at_once = (await known_of(database, country)).recent
    await let_it_be_late(database, number)
    await learn_all(database)
    late = await known_of(database, country)

    assert (at_once, late.recent) == ("p", "pf")
    assert (round(late.evidence.proved, 2), round(late.evidence.unproved, 2)) == (0.99, 1)
    assert round(late.baseline.rate, 1) == 0.5


async def test_each_outcome_is_learnt_once_however_many_look(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_sender(database, country)
    for _ in range(12):
        await a_message(database, country, caller, is_proved=True)

    counts = await asyncio.gather(*(RouteLearning(database=database).learn() for _ in range(6)))
    again = await RouteLearning(database=database).learn()

    async with database.transaction() as connection:
        record = (await read_numbers(connection, [number.id]))[number.id].record
    assert sum(counts) >= 12
    assert again == 0
    assert (await known_of(database, country)).recent == "p" * 12
    assert 11.5 < record.proved.of == record.proved.total <= 12


async def test_refusals_open_the_breaker_and_it_is_seen_by_the_next_choice(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_sender(database, country, price_micros=1)
    for _ in range(5):
        await a_message(database, country, caller, answer=REFUSED)

    await learn_all(database)
    other = await a_sender(database, country, carrier="bravo")
    routed = await begun(database, await pending_to(database, country, caller))

    assert (await known_of(database, country)).breaker.state is BreakerState.OPEN
    assert routed.candidate.number_id == other.id


async def test_the_wait_for_a_receipt_is_learnt_from_receipts(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_sender(database, country)
    for _ in range(60):
        attempt = await a_message(database, country, caller)
        async with database.transaction() as connection:
            assert await record_receipt(connection, attempt, carrier="alpha", status=ReceiptStatus.DELIVERED)
    await let_it_be_late(database, number)

    await learn_all(database)
    routed = await begun(database, await pending_to(database, country, caller))

    assert (await known_of(database, country)).receipt_wait_s == 8
    assert routed.receipt_wait_s == 8


async def test_a_route_that_gives_no_receipts_is_not_waited_for(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    number = await a_sender(database, country)
    for _ in range(60):
        await a_message(database, country, caller)
    await let_it_be_late(database, number)

    await learn_all(database)
    routed = await begun(database, await pending_to(database, country, caller))

    assert routed.receipt_wait_s == 0


async def test_a_breaker_that_opens_has_the_pools_judged_at_once_and_what_goes_on_as_it_did_does_not(
    database: Database,
) -> None:
    country, caller, judges = a_country(), await a_caller(database), FakeJudges()
    await a_sender(database, country)
    learning = RouteLearning(database=database, judges=judges)
    await learn_all(database)
    asked = []

    for answer in (ACCEPTED, REFUSED, REFUSED):
        for _ in range(5):
            await a_message(database, country, caller, answer=answer)
        while await learning.learn():
            continue
        asked.append(judges.asked)

    assert asked == [0, 1, 1]


async def connections_of(database: Database) -> dict[str, BreakerState]:
    async with database.reading() as connection:
        known = await read_health(connection, CONNECTIONS, environment=SANDBOX)
    return {name: health.breaker.state for name, health in known.items()}


@pytest.mark.parametrize(("answer", "state"), [(ACCEPTED, BreakerState.CLOSED), (REFUSED, BreakerState.OPEN)])
async def test_messages_of_the_routes_file_teach_of_their_connection_and_of_no_route(
    database: Database, answer: Any, state: BreakerState
) -> None:
    caller = await a_caller(database)
    for _ in range(5):
        await a_message(database, "GB", caller, answer=answer)
    await a_message(database, "GB", caller, answer=answer, is_proved=answer is ACCEPTED)

    await learn_all(database)
    routed = await begun(database, await pending_to(database, "GB", caller))

    assert await connections_of(database) == {"alpha/eu": state}
    async with database.reading() as connection:
        assert await read_health(connection, "GB", environment=SANDBOX) == {}
    assert routed.candidate.route.carrier == ("alpha" if answer is ACCEPTED else "bravo")


UNREACHABLE = Answer(
    status=SubmissionStatus.REJECTED, failure_class=FailureClass.ROUTE_TEMPORARY, carrier_code="unreachable"
)


@pytest.mark.parametrize(
    ("answer", "taken"), [(UNREACHABLE, "bravo"), (SILENT, "bravo"), (REFUSED, "alpha"), (THROTTLED, "alpha")]
)
async def test_a_connection_that_fails_towards_one_country_is_left_alone_towards_all(
    database: Database, answer: Any, taken: str
) -> None:
    country, other, caller = a_country(), a_country(), await a_caller(database)
    await a_sender(database, country)
    await a_sender(database, other, price_micros=1)
    await a_sender(database, other, carrier="bravo")
    for _ in range(5):
        await a_message(database, country, caller, answer=answer)

    await learn_all(database)
    routed = await begun(database, await pending_to(database, other, caller))

    assert routed.candidate.route.carrier == taken


async def test_a_connection_is_probed_by_one_message_and_closes_by_three(database: Database) -> None:
    country, caller, judges = a_country(), await a_caller(database), FakeJudges()
    await a_sender(database, country, price_micros=1)
    await a_sender(database, country, carrier="bravo")
    for _ in range(5):
        await a_message(database, country, caller, answer=SILENT)
    await learn_all(database)

    taken = []
    for _ in range(3):
        await let_probes_be_due(database)
        router = a_router()
        facts = [await pending_to(database, country, caller) for _ in range(2)]
        both = [await begun(database, each, router=router) for each in facts]
        taken.append([each.candidate.route.carrier for each in both])
        order = SendOrder(verification_id=facts[0].id, attempt_id=both[0].attempt_id)
        await delivery(database, ScriptedCarrier(script=[ACCEPTED])).send(order)
        while await RouteLearning(database=database, judges=judges).learn():
            continue

    assert taken == [["alpha", "bravo"]] * 3
    assert await connections_of(database) == {"alpha/eu": BreakerState.CLOSED}
    assert judges.asked >= 1


async def let_probes_be_due(database: Database) -> None:
    table = table_of(RouteHealth)
    async with database.transaction() as connection:
        await connection.execute(update(table).where(table.c.probe_at.is_not(None)).values(probe_at=now_plus(-1)))
