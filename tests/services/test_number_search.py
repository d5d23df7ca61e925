"""Reserving numbers: one holder each, exactly as many as the quota, nothing left behind when the carrier will not."""

import asyncio

import pytest

from carriers.inventory import InventoryAwayError, NumberTakenError
from domain.errors import AccountSuspendedError, DomainError, UnknownCountryError
from domain.events import BEGINNING
from domain.ids import number_id
from domain.number_errors import (
    CarrierAwayError,
    CountryNotAllowedError,
    HarvestingError,
    NumberNotFreeError,
    NumberQuotaError,
    SenderNotAllowedError,
)
from domain.routing import EndReason, NumberState, RoutePolicyFacts
from domain.statuses import AccountStatus, Environment
from services.numbers import Numbers
from store.accounts import change_account
from store.engine import Database
from store.number_leases import end_lease, take_number
from store.reading_events import EventFilters, events_after
from store.route_policies import put_policy
from tests.building import a_caller
from tests.services.numbering import QUOTA, FakeInventory, a_request, a_sender, an_offer, search_over
from tests.store.numbering import SANDBOX, a_country, a_new_lease, a_number, let_reservation_end


def stock(count: int = 1, **changes: str) -> FakeInventory:
    return FakeInventory(offers=[an_offer(a_sender(), **changes) for _ in range(count)])


async def test_a_found_number_can_be_reserved_and_is_then_listed_and_told(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    search = search_over(database, inventory)

    found = await search.find(caller, "DK")
    view = await search.reserve(caller, a_request(found.numbers[0][1]))

    page = await Numbers(database=database).list(caller)
    assert [each.number.id for each in page.items] == [view.number.id]
    assert view.number.state is NumberState.RESERVED
    assert inventory.holders == {view.number.sender: view.number.id}
    filters = EventFilters(account_id=caller.account_id, environment=caller.environment)
    async with database.reading() as connection:
        events = await events_after(connection, filters, BEGINNING, limit=10)
    assert [(each.type, each.data["number_id"], each.data["status"]) for each in events] == [
        ("number.status_changed", number_id(view.number.id), "reserved")
    ]


async def test_of_many_accounts_that_want_a_number_one_gets_it(database: Database) -> None:
    inventory = stock()
    callers = [await a_caller(database) for _ in range(12)]

    outcomes = await asyncio.gather(
        *(search_over(database, inventory).reserve(each, a_request(inventory.offers[0])) for each in callers),
        return_exceptions=True,
    )

    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(refused) == 11
    assert {type(each) for each in refused} == {NumberNotFreeError}


async def test_of_many_reservations_at_once_as_many_pass_as_the_quota_says(database: Database) -> None:
    caller, inventory = await a_caller(database), stock(QUOTA * 2)
    search = search_over(database, inventory)

    outcomes = await asyncio.gather(
        *(search.reserve(caller, a_request(each)) for each in inventory.offers), return_exceptions=True
    )

    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(refused) == QUOTA
    assert {type(each) for each in refused} == {NumberQuotaError}


async def test_a_reservation_that_lapsed_is_another_account_s_to_take(database: Database) -> None:
    first, second, inventory = await a_caller(database), await a_caller(database), stock()
    search, request = search_over(database, inventory), a_request(inventory.offers[0])
    before = await search.reserve(first, request)
    await let_reservation_end(database, before.number.id)
    inventory.holders.clear()

    after = await search.reserve(second, request)

    assert after.number.account_id == second.account_id
    assert (await Numbers(database=database).list(first)).items == ()


@pytest.mark.parametrize(
    ("trouble", "refusal"),
    [(NumberTakenError("no"), NumberNotFreeError), (InventoryAwayError("no"), CarrierAwayError)],
)
async def test_a_reservation_that_the_carrier_does_not_make_leaves_the_number_free(
    database: Database, trouble: Exception, refusal: type[DomainError]
) -> None:
    caller, inventory = await a_caller(database), stock()
    inventory.refuses_to_reserve = trouble
    search, request = search_over(database, inventory), a_request(inventory.offers[0])

    with pytest.raises(refusal):
        await search.reserve(caller, request)

    inventory.refuses_to_reserve = None
    again = await search.reserve(caller, request)
    assert again.number.state is NumberState.RESERVED
    assert len((await Numbers(database=database).list(caller)).items) == 1


async def test_a_silent_carrier_is_named_and_the_others_answer(database: Database) -> None:
    caller, there, away = await a_caller(database), stock(), FakeInventory(name="bravo", is_away=True)

    found = await search_over(database, there, away).find(caller, "DK")

    assert [each.sender for _, each in found.numbers] == [there.offers[0].sender]
    assert found.silent == ("bravo",)
    with pytest.raises(CarrierAwayError):
        await search_over(database, away).find(caller, "DK")


async def test_the_other_environment_has_an_inventory_of_its_own(database: Database) -> None:
    caller, inventory = await a_caller(database, environment=Environment.PRODUCTION), stock()
    search = search_over(database, inventory)

    assert (await search.find(caller, "DK")).numbers == ()
    with pytest.raises(NumberNotFreeError):
        await search.reserve(caller, a_request(inventory.offers[0]))


async def test_what_could_not_be_used_is_not_reserved(database: Database) -> None:
    caller = await a_caller(database)
    name, elsewhere = stock(sender_type="alphanumeric"), stock(country="FR")
    policy = RoutePolicyFacts(country="FR", is_allowed=False, primary_pool=None)
    async with database.transaction() as connection:
        await put_policy(connection, policy, account_id=caller.account_id, environment=SANDBOX)

    with pytest.raises(SenderNotAllowedError):
        await search_over(database, name).reserve(caller, a_request(name.offers[0]))
    with pytest.raises(CountryNotAllowedError):
        await search_over(database, elsewhere).reserve(caller, a_request(elsewhere.offers[0]))
    with pytest.raises(UnknownCountryError):
        await search_over(database, name).reserve(caller, a_request(an_offer("1", country="ZZ")))
    assert (await Numbers(database=database).list(caller)).items == ()


async def test_an_account_that_may_not_send_reserves_nothing(database: Database) -> None:
    caller, inventory = await a_caller(database), stock()
    async with database.transaction() as connection:
        await change_account(connection, caller.account_id, {"status": AccountStatus.SUSPENDED})

    with pytest.raises(AccountSuspendedError):
        await search_over(database, inventory).reserve(caller, a_request(inventory.offers[0]))


async def test_who_gave_back_more_than_twice_its_quota_gets_no_more_and_is_told_why(database: Database) -> None:
    caller, country, inventory = await a_caller(database), a_country(), stock()
    # The last one stays the pool's.
    await a_number(database, country)
    for _ in range(3):
        await a_number(database, country)
        async with database.transaction() as connection:
            taken = await take_number(connection, a_new_lease(caller, country))
            assert taken is not None
            await end_lease(connection, taken[1].id, reason=EndReason.RELEASED)

    with pytest.raises(HarvestingError) as refused:
        await search_over(database, inventory, quota=1).reserve(caller, a_request(inventory.offers[0]))
    assert refused.value.fields == {"released": 3, "quota": 1, "window_days": 180}
    view = await search_over(database, inventory, quota=2).reserve(caller, a_request(inventory.offers[0]))
    assert view.number.state is NumberState.RESERVED
