"""What is decided about routes and numbers from what was learnt of them: once, with its evidence, and told."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from activities.pool_health import PoolHealthActivities
from domain.facts import Caller
from domain.ids import number_id as public_id
from domain.routing import Mode, NumberFacts, NumberState, RoutePolicyFacts
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.health import NumberRecord
from rules.routing.learning import Health
from rules.routing.proportions import Share
from rules.routing.verdicts import TOLD_AT_MOST_EVERY_S, Decided, DecisionFacts
from store.engine import Database
from store.learning import KnownNumber, read_numbers, write_number
from store.number_leases import take_number
from store.number_tables import SenderNumber
from store.numbers import find_number
from store.pool_rotation import set_longest_aside
from store.route_decisions import decisions
from store.route_health import read_health
from store.tables import table_of
from store.times import now_plus
from tests.activities.test_routes_from_pools import a_sender, know, lend, pending_to, set_policy
from tests.building import a_caller
from tests.store.numbering import SANDBOX, a_country, a_new_lease, let_days_pass
from tests.store.test_store_events import events_of, types_of

WELL = Share(850, 1000)
OPENED = Breaker(state=BreakerState.OPEN, probe_at=datetime(2026, 11, 24, tzinfo=UTC))
FALLEN = Health(baseline=WELL, recent="f" * 40 + "p" * 10)


async def judge(database: Database) -> None:
    await PoolHealthActivities(database=database).judge_pools()


async def a_route(database: Database, health: Health) -> tuple[str, str]:
    """Return a country and the only group of routes there, of which this is known."""
    country = a_country()
    name = f"alpha/{country}/long_code/sms"
    await know(database, name, country, health)
    return country, name


async def health_of(database: Database, country: str) -> Health:
    async with database.reading() as connection:
        (known,) = (await read_health(connection, country, environment=SANDBOX)).values()
    return known


async def decided(database: Database, country: str) -> list[DecisionFacts]:
    async with database.reading() as connection:
        return await decisions(connection, environment=SANDBOX, country=country, at_most=10)


async def known_as(database: Database, number: NumberFacts, record: NumberRecord) -> None:
    async with database.transaction() as connection:
        known = (await read_numbers(connection, [number.id]))[number.id]
        assert await write_number(connection, number.id, KnownNumber(known.version, record))


def a_record(*, proved: int = 85, blocked: int = 0, total: int = 100) -> NumberRecord:
    received = Share(total * 9 / 10, total)
    return NumberRecord(
        proved=Share(proved, total), received=received, blocked=Share(blocked, total), spam=Share(0, total)
    )


async def state_of(database: Database, number: NumberFacts) -> NumberFacts:
    async with database.reading() as connection:
        found = await find_number(connection, number.id, environment=SANDBOX)
    assert found is not None
    return found


async def concerned(database: Database, country: str, *, mode: Mode) -> Caller:
    """Return an account that wrote to a country and has its messages routed so."""
    caller = await a_caller(database)
    await pending_to(database, country, caller)
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=country, mode=mode)
    await set_policy(database, caller, policy)
    return caller


async def test_a_route_that_converts_far_less_than_it_did_is_demoted_once_with_the_figures(database: Database) -> None:
    country, name = await a_route(database, FALLEN)

    await asyncio.gather(*(judge(database) for _ in range(4)))
    await judge(database)

    health, (decision,) = await health_of(database, country), await decided(database, country)
    assert (health.demoted_for, health.relapses, health.recent) == ("conversion_fell", 1, "")
    assert (decision.kind, decision.subject) == (Decided.ROUTE_DEMOTED, name)
    assert decision.evidence == {
        "seen_of_1000": 200,
        "seen": 50,
        "expected_of_1000": 850,
        "expected_from": 1000,
    }


@pytest.mark.parametrize(
    ("mode", "told"),
    [(Mode.ORDERED, "route.demoted"), (Mode.CHEAPEST, "route.demoted"), (Mode.ADAPTIVE, "pool.unstable")],
)
async def test_who_writes_there_is_told_as_its_mode_has_it(database: Database, mode: Mode, told: str) -> None:
    country, _ = await a_route(database, FALLEN)
    caller, other = await concerned(database, country, mode=mode), await a_caller(database)

    await judge(database)

    assert told in await types_of(database, caller)
    assert await types_of(database, other) == []


async def test_a_demoted_route_comes_back_by_what_was_planned_since(database: Database) -> None:
    country, _ = await a_route(database, FALLEN)
    await judge(database)
    demoted = await health_of(database, country)
    caller = await concerned(database, country, mode=Mode.ORDERED)

    await know(database, f"alpha/{country}/long_code/sms", country, replace(demoted, recent="p" * 9))
    await judge(database)
    too_few = await health_of(database, country)
    await know(database, f"alpha/{country}/long_code/sms", country, replace(demoted, recent="p" * 10))
    await judge(database)

    assert too_few.demoted_at is not None
    assert (await health_of(database, country)).demoted_at is None
    assert [each.kind for each in await decided(database, country)] == [Decided.ROUTE_RESTORED, Decided.ROUTE_DEMOTED]
    assert await types_of(database, caller) == ["route.restored"]


async def test_a_route_that_does_its_work_is_left_alone(database: Database) -> None:
    country, _ = await a_route(database, Health(baseline=WELL, recent="p" * 50 + "f" * 10))

    await judge(database)

    assert await decided(database, country) == []


async def set_aside(database: Database, *, record: NumberRecord | None = None) -> tuple[NumberFacts, NumberFacts]:
    """Return a number that does well, and one of the same pool that was set aside and whose time is over."""
    country, _ = await a_route(database, Health())
    good, bad = await a_sender(database, country), await a_sender(database, country)
    await known_as(database, good, a_record())
    await known_as(database, bad, record or a_record(proved=5))
    await judge(database)
    aside = await state_of(database, bad)
    await let_quarantine_end(database, bad)
    return good, aside


async def kinds_of(database: Database, number: NumberFacts) -> list[Decided]:
    """Return what was decided of a number, the first first."""
    found = await decided(database, number.country)
    return [each.kind for each in reversed(found) if each.subject == public_id(number.id)]


async def test_a_number_that_does_worse_than_its_pool_is_set_aside_and_then_tried_with_nothing_known(
    database: Database,
) -> None:
    good, aside = await set_aside(database)

    await asyncio.gather(*(judge(database) for _ in range(4)))
    tried = await state_of(database, aside)
    await judge(database)

    assert (aside.state, aside.state_reason, aside.relapses) == (NumberState.QUARANTINED, "conversion_low", 1)
    assert aside.state_until is not None
    assert (tried.state, tried.is_probing, tried.state_reason) == (NumberState.AVAILABLE, True, "conversion_low")
    assert await state_of(database, good) == good
    assert await kinds_of(database, aside) == [Decided.NUMBER_QUARANTINED, Decided.NUMBER_PROBING]


async def test_ten_codes_that_came_back_end_a_trial(database: Database) -> None:
    _, aside = await set_aside(database)
    await judge(database)

    await known_as(database, aside, a_record(proved=9, total=9))
    await judge(database)
    too_few = await state_of(database, aside)
    await known_as(database, aside, a_record(proved=10, total=10))
    await asyncio.gather(*(judge(database) for _ in range(4)))
    back = await state_of(database, aside)

    assert too_few.is_probing
    assert (back.state, back.is_probing, back.state_reason) == (NumberState.AVAILABLE, False, None)
    assert await kinds_of(database, aside) == [
        Decided.NUMBER_QUARANTINED,
        Decided.NUMBER_PROBING,
        Decided.NUMBER_RESTORED,
    ]
    (*_, evidence) = [each.evidence for each in reversed(await decided(database, aside.country))]
    assert (evidence["seen_of_1000"], evidence["seen"], evidence["expected_from"]) == (1000, 10, 100)


async def test_a_number_that_fails_its_trial_is_set_aside_twice_as_long(database: Database) -> None:
    _, aside = await set_aside(database)
    await judge(database)

    await known_as(database, aside, a_record(proved=0, total=20))
    await judge(database)
    again = await state_of(database, aside)

    assert (again.state, again.relapses, again.is_probing) == (NumberState.QUARANTINED, 2, False)
    assert hours_of(again) == 48


def hours_of(aside: NumberFacts) -> int:
    assert aside.state_until is not None
    return round((aside.state_until - aside.changed_at) / timedelta(hours=1))


async def test_one_that_did_its_work_for_a_month_is_set_aside_for_a_day(database: Database) -> None:
    _, aside = await set_aside(database)
    await judge(database)
    await known_as(database, aside, a_record(proved=10, total=10))
    await judge(database)
    await let_days_pass(database, aside.id, days=30)

    await known_as(database, aside, a_record(blocked=40))
    await judge(database)
    again = await state_of(database, aside)

    assert (again.state_reason, again.relapses, hours_of(again)) == ("sender_blocked", 1, 24)


async def test_an_account_is_told_that_its_number_is_on_trial_and_that_it_stood_it(database: Database) -> None:
    country, _ = await a_route(database, Health())
    caller, number = await a_caller(database), await a_sender(database, country)
    await lend(database, number, caller)
    await known_as(database, number, a_record(blocked=40))

    await judge(database)
    await let_quarantine_end(database, number)
    await judge(database)
    await known_as(database, number, a_record(proved=10, total=10))
    await judge(database)

    told = [(each.data["status"], each.data["reason"]) for each in await events_of(database, caller)]
    assert told == [("quarantined", "sender_blocked"), ("leased", "probing"), ("leased", "proved")]


async def test_a_number_on_trial_is_neither_leased_nor_spared_nor_a_measure_for_others(database: Database) -> None:
    good, aside = await set_aside(database)
    await judge(database)
    await known_as(database, aside, a_record(proved=95, total=100))
    await known_as(database, good, a_record(proved=40, total=100))
    caller = await a_caller(database)
    async with database.transaction() as connection:
        spared = await set_longest_aside(connection, good.country, environment=SANDBOX, reason="rotated", lasts_s=60)
        alone = await take_number(connection, a_new_lease(caller, good.country))
    await a_sender(database, good.country)
    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(caller, good.country))
        none = await take_number(connection, a_new_lease(caller, good.country))

    assert (spared, alone, none) == (None, None, None)
    assert taken is not None
    assert taken[0].id == good.id


async def let_quarantine_end(database: Database, number: NumberFacts) -> None:
    table = table_of(SenderNumber)
    async with database.transaction() as connection:
        await connection.execute(update(table).where(table.c.id == number.id).values(state_until=now_plus(-1)))


async def test_a_breaker_that_opened_is_told_of_in_every_mode_and_so_is_that_it_closed(database: Database) -> None:
    country, name = await a_route(database, Health(breaker=OPENED))
    ordered = await concerned(database, country, mode=Mode.ORDERED)
    adaptive = await concerned(database, country, mode=Mode.ADAPTIVE)

    await asyncio.gather(*(judge(database) for _ in range(4)))
    told = await health_of(database, country)
    assert told.breaker_told_at is not None
    await know(database, name, country, replace(told, breaker=Breaker()))
    await judge(database)
    too_soon = await decided(database, country)
    earlier = told.breaker_told_at - timedelta(seconds=TOLD_AT_MOST_EVERY_S)
    await know(database, name, country, replace(told, breaker=Breaker(), breaker_told_at=earlier))
    await judge(database)

    assert [each.kind for each in too_soon] == [Decided.BREAKER_OPENED]
    assert [each.kind for each in await decided(database, country)] == [Decided.BREAKER_CLOSED, Decided.BREAKER_OPENED]
    for account in (ordered, adaptive):
        assert await types_of(database, account) == ["route.demoted", "route.restored"]
