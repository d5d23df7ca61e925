"""Tending numbers: each step once, with its event, from the order to the rest, whatever the carrier answers."""

import asyncio
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.numbers import NumberActivities
from domain.errors import NotFoundError
from domain.events import BEGINNING, Event
from domain.facts import Caller
from domain.ids import new_id
from domain.inventory import OrderStatus
from domain.messages import NumberOrder, NumberReport
from domain.routing import NumberFacts, NumberState, NumberView, Use
from domain.statuses import AccountStatus, Environment
from rules.routing.lease_life import DRAIN_S
from services.number_leasing import LeaseRequest
from services.number_operations import NumberOperations
from services.numbers import Numbers
from store.accounts import change_account
from store.authorisations import authorisations_for
from store.engine import Database
from store.number_leases import count_released, lease_of_number
from store.number_views import find_with_lease
from store.reading_events import EventFilters, events_after
from tests.building import FakeJudges, FakeKeepers, a_caller
from tests.services.numbering import (
    FakeInventory,
    a_request,
    a_sender,
    allowance,
    an_offer,
    an_operator,
    leasing,
    search_over,
)
from tests.store.numbering import let_days_pass

_S = NumberState


def stock() -> FakeInventory:
    return FakeInventory(offers=[an_offer(a_sender())])


async def tend(database: Database, number: NumberFacts, inventory: FakeInventory) -> NumberReport:
    activities = NumberActivities(database=database, inventories={Environment.SANDBOX: {inventory.name: inventory}})
    order = NumberOrder(number_id=number.id, environment=number.environment)
    report: NumberReport = await ActivityEnvironment().run(activities.tend, order)
    return report


async def state_of(database: Database, number: NumberFacts) -> NumberFacts:
    async with database.reading() as connection:
        found = await find_with_lease(connection, number.id, environment=number.environment)
    assert found is not None
    return found[0]


async def events_of(database: Database, caller: Caller) -> list[Event]:
    filters = EventFilters(account_id=caller.account_id, environment=caller.environment)
    async with database.reading() as connection:
        return await events_after(connection, filters, BEGINNING, limit=100)


async def leased(database: Database, caller: Caller, inventory: FakeInventory, **terms: Any) -> NumberView:
    """Return a number that was reserved and leased, and that its carrier has activated."""
    view = await ordered(database, caller, inventory, **terms)
    inventory.orders[view.number.sender] = OrderStatus.ACTIVE
    for _ in range(2):
        await tend(database, view.number, inventory)
    async with database.reading() as connection:
        found = await find_with_lease(connection, view.number.id, environment=caller.environment)
    assert found is not None
    return NumberView(number=found[0], lease=found[1], is_own=True)


async def ordered(database: Database, caller: Caller, inventory: FakeInventory, **terms: Any) -> NumberView:
    """Return a number that was reserved and leased, which nobody has tended yet."""
    reserved = await search_over(database, inventory).reserve(caller, a_request(inventory.offers[0]))
    request = LeaseRequest(number_id=reserved.number.id, **terms)
    view = await leasing(database).lease(caller, request)
    assert isinstance(view, NumberView)
    return view


async def test_a_number_is_ordered_looked_for_and_put_into_service_by_steps(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    sender = view.number.sender

    first = await tend(database, view.number, inventory)
    early = await tend(database, view.number, inventory)
    inventory.orders[sender] = OrderStatus.ACTIVE
    await let_days_pass(database, view.number.id, days=1)
    active = await tend(database, view.number, inventory)
    last = await tend(database, view.number, inventory)

    assert first.done == "Its carrier has taken the order"
    assert first.next == "Ask its carrier what became of the order"
    assert first.next_s == pytest.approx(1.0, abs=0.5)
    assert early.done is None
    assert (active.done, active.next_s) == ("Its carrier has activated it", 0.0)
    assert last.done == "It is in service"
    assert inventory.asked == ["search", "reserve", "provision", "look"]
    number = await state_of(database, view.number)
    assert (number.state, number.account_id) == (_S.LEASED, caller.account_id)
    async with database.reading() as connection:
        authorised = await authorisations_for(connection, "DK", environment=caller.environment)
    assert (sender, "alpha") in authorised
    told = [each.data.get("status") or each.type for each in await events_of(database, caller)]
    assert told == ["reserved", "provisioning", "registering", "leased", "number.lease_started"]


async def test_the_first_period_begins_when_the_number_is_there(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    inventory.orders[view.number.sender] = OrderStatus.ACTIVE
    await let_days_pass(database, view.number.id, days=20)

    for _ in range(2):
        await tend(database, view.number, inventory)

    after = await Numbers(database=database).read(caller, view.number.id)
    assert after.lease is not None
    assert (after.lease.expires_at - after.lease.started_at).days == 30
    assert (after.lease.started_at - after.number.changed_at).total_seconds() == pytest.approx(0, abs=5)


async def test_a_number_that_the_carrier_refuses_ends_its_lease_and_is_given_back(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    inventory.orders[view.number.sender] = OrderStatus.REFUSED

    refused = await tend(database, view.number, inventory)
    await tend(database, view.number, inventory)

    number = await state_of(database, view.number)
    assert refused.done == "Its carrier does not give it: refused_by_carrier"
    assert (number.state, number.state_reason) == (_S.RETIRED, "refused_by_carrier")
    assert inventory.holders == {}
    again = await search_over(database, inventory).reserve(caller, a_request(inventory.offers[0]))
    assert again.number.state is _S.RESERVED


async def test_a_carrier_that_is_away_is_asked_again_later_and_later(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    inventory.is_away = True

    first = await tend(database, view.number, inventory)
    await let_days_pass(database, view.number.id, days=0.02)
    later = await tend(database, view.number, inventory)
    inventory.is_away = False
    await let_days_pass(database, view.number.id, days=1)
    there = await tend(database, view.number, inventory)

    assert first.done == later.done == "alpha does not answer"
    assert first.next_s is not None
    assert later.next_s is not None
    assert first.next_s < 3 < later.next_s
    assert there.done == "Its carrier has taken the order"


async def test_an_order_that_its_carrier_never_answers_is_given_up_and_costs_nothing(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    inventory.is_away = True
    await tend(database, view.number, inventory)
    since = (await state_of(database, view.number)).silent_since

    await let_days_pass(database, view.number.id, days=6.5)
    still = await tend(database, view.number, inventory)
    await let_days_pass(database, view.number.id, days=0.6)
    given_up = await tend(database, view.number, inventory)

    assert since is not None
    assert still.done == "alpha does not answer"
    assert given_up.done == "Its carrier does not give it: carrier_silent"
    number = await state_of(database, view.number)
    assert (number.state, number.state_reason, number.silent_since) == (_S.RELEASING, "carrier_silent", None)
    async with database.reading() as connection:
        assert await lease_of_number(connection, view.number.id) is None
        assert await count_released(connection, caller.account_id, environment=caller.environment) == 0
    events = await events_of(database, caller)
    assert [(each.type, each.data.get("reason")) for each in events][-1] == ("number.status_changed", "carrier_silent")
    assert not [each for each in events if "price_micros" in each.data]


async def test_a_return_that_its_carrier_never_answers_is_not_waited_for(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)
    inventory.orders[view.number.sender] = OrderStatus.REFUSED
    await tend(database, view.number, inventory)
    inventory.is_away = True
    await tend(database, view.number, inventory)

    await let_days_pass(database, view.number.id, days=29.9)
    still = await tend(database, view.number, inventory)
    await let_days_pass(database, view.number.id, days=0.2)
    given_up = await tend(database, view.number, inventory)

    assert still.done == "alpha does not answer"
    assert (given_up.done, given_up.next_s) == ("It is given up: not_given_back", None)
    number = await state_of(database, view.number)
    assert (number.state, number.state_reason) == (_S.RETIRED, "not_given_back")
    (last,) = [each.data for each in await events_of(database, caller)][-1:]
    assert (last["status"], last["reason"]) == ("retired", "not_given_back")


async def test_a_carrier_that_answers_now_and_then_is_never_given_up(database: Database) -> None:
    """An order of a short code takes weeks."""
    caller, inventory = await a_caller(database), stock()
    view = await ordered(database, caller, inventory)

    for _ in range(4):
        inventory.is_away = True
        await tend(database, view.number, inventory)
        await let_days_pass(database, view.number.id, days=6)
        inventory.is_away = False
        await tend(database, view.number, inventory)
        await let_days_pass(database, view.number.id, days=6)

    number = await state_of(database, view.number)
    assert (number.state, number.silent_since) == (_S.PROVISIONING, None)


async def test_what_a_period_costs_is_told_when_it_begins_and_when_it_is_renewed(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=True, period_days=45)
    await let_days_pass(database, view.number.id, days=43)

    await tend(database, view.number, inventory)

    priced = [each for each in await events_of(database, caller) if "price_micros" in each.data]
    assert [each.type for each in priced] == ["number.lease_started", "number.lease_renewed"]
    assert {(each.data["price_micros"], each.data["currency"], each.data["period_days"]) for each in priced} == {
        (1_800_000, "EUR", 45)
    }


async def test_a_step_that_is_taken_by_several_at_once_is_taken_once(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=True)
    await let_days_pass(database, view.number.id, days=28)

    await asyncio.gather(*(tend(database, view.number, inventory) for _ in range(6)))

    renewed = [each for each in await events_of(database, caller) if each.type == "number.lease_renewed"]
    assert len(renewed) == 1
    after = await Numbers(database=database).read(caller, view.number.id)
    assert after.lease is not None
    assert (after.lease.expires_at - after.lease.started_at).days == 60


async def test_a_lease_is_warned_of_ends_drains_rests_and_is_another_s(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=False)
    steps: list[tuple[str | None, NumberState]] = []

    for days in (23.5, 6.0, 0.6, 0.1 + DRAIN_S / 86_400, 90.0):
        await let_days_pass(database, view.number.id, days=days)
        report = await tend(database, view.number, inventory)
        steps.append((report.done, (await state_of(database, view.number)).state))

    told = "Its account was told that the lease ends"
    assert steps == [
        (told, _S.LEASED),
        (told, _S.LEASED),
        ("The lease is over", _S.DRAINING),
        ("It rests", _S.AGING),
        ("It can be leased again", _S.AVAILABLE),
    ]
    events = [(each.type, each.data.get("days"), each.data.get("status")) for each in await events_of(database, caller)]
    assert events[5:] == [
        ("number.lease_ending", 7, None),
        ("number.lease_ending", 1, None),
        ("number.status_changed", None, "draining"),
        ("number.status_changed", None, "aging"),
    ]
    assert (await state_of(database, view.number)).account_id is None


async def test_a_suspended_account_s_lease_is_not_renewed_and_is_warned_of(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=True)
    async with database.transaction() as connection:
        await change_account(connection, caller.account_id, {"status": AccountStatus.SUSPENDED})
    await let_days_pass(database, view.number.id, days=24)

    report = await tend(database, view.number, inventory)

    assert report.done == "Its account was told that the lease ends"


async def test_an_auto_renewal_that_comes_too_late_still_renews(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=True)
    await let_days_pass(database, view.number.id, days=35)

    report = await tend(database, view.number, inventory)

    assert report.done == "The lease was renewed"
    assert (await state_of(database, view.number)).state is _S.LEASED


async def test_a_pooled_number_is_everybody_s_and_is_given_back_when_its_lease_is_over(database: Database) -> None:
    caller, other, inventory = await an_operator(database), await a_caller(database), stock()
    view = await leased(database, caller, inventory, is_renewed=False, use=Use.POOLED)
    shown = await Numbers(database=database).read(other, view.number.id)

    await let_days_pass(database, view.number.id, days=31)
    for days in (0.0, 1.0, 0.0):
        await let_days_pass(database, view.number.id, days=days)
        await tend(database, view.number, inventory)

    assert (view.number.state, shown.lease, shown.is_own) == (_S.AVAILABLE, None, False)
    assert (await state_of(database, view.number)).state is _S.RETIRED
    assert inventory.holders == {}


async def test_a_reservation_lapses(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await search_over(database, inventory).reserve(caller, a_request(inventory.offers[0]))
    await let_days_pass(database, view.number.id, days=1)

    report = await tend(database, view.number, inventory)

    assert report.done == "The reservation lapsed"
    assert (await Numbers(database=database).list(caller, state=_S.RESERVED)).items == ()


async def test_one_that_was_set_aside_by_hand_comes_back_by_time(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    view = await leased(database, caller, inventory)
    operations = NumberOperations(database=database, allowance=allowance(), keepers=FakeKeepers(), judges=FakeJudges())
    await operations.quarantine(caller, view.number.id, hours=24)

    early = await tend(database, view.number, inventory)
    await let_days_pass(database, view.number.id, days=1)
    report = await tend(database, view.number, inventory)

    assert (early.done, early.next) == (None, "Put it back into service")
    assert report.done == "It is in service again"
    assert (await state_of(database, view.number)).state is _S.LEASED


async def test_a_number_that_is_not_there_has_nothing_ahead(database: Database) -> None:
    activities = NumberActivities(database=database, inventories={})

    report = await ActivityEnvironment().run(
        activities.tend, NumberOrder(number_id=new_id(), environment=Environment.SANDBOX)
    )

    assert report == NumberReport()
    with pytest.raises(NotFoundError):
        await Numbers(database=database).read(await a_caller(database), new_id())
