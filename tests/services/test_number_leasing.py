"""Leasing numbers: from a reservation or a pool, each request once, never more than the quota."""

import asyncio
from typing import Any

import pytest

from domain.errors import IdempotencyMismatchError, InsufficientScopeError, InvalidRequestError, NotFoundError
from domain.facts import Caller
from domain.number_errors import (
    CapabilityMissingError,
    NumberQuotaError,
    NumberStateError,
    PoolEmptyError,
    SenderNotAllowedError,
)
from domain.routing import NumberState, NumberView, Use
from rules.routing.catalog import SenderType
from services.idempotency import Repeatable, StoredAnswer
from services.number_leasing import LeaseRequest
from services.numbers import Numbers
from store.engine import Database
from store.numbers import find_number
from tests.building import FakeKeepers, a_caller
from tests.services.numbering import FakeInventory, a_request, a_sender, an_offer, leasing, search_over
from tests.store.numbering import SANDBOX, a_number, let_reservation_end

_S = NumberState


async def a_pool(database: Database, *, numbers: int, country: str) -> None:
    for _ in range(numbers):
        await a_number(database, country)


def from_pool(country: str, **changes: Any) -> LeaseRequest:
    return LeaseRequest(country=country, sender_type=SenderType.LONG_CODE, **changes)


async def reserved(database: Database, caller: Caller) -> NumberView:
    inventory = FakeInventory(offers=[an_offer(a_sender())])
    return await search_over(database, inventory).reserve(caller, a_request(inventory.offers[0]))


def repeatable(key: str, fingerprint: str = "same") -> Repeatable:
    return Repeatable(key=key, fingerprint=fingerprint, render=lambda view: str(view.number.id))


async def test_a_reserved_number_is_ordered_and_its_workflow_woken(database: Database) -> None:
    caller, keepers = await a_caller(database), FakeKeepers()
    held = await reserved(database, caller)

    view = await leasing(database, keepers=keepers).lease(
        caller, LeaseRequest(number_id=held.number.id, period_days=7, is_renewed=False)
    )

    assert isinstance(view, NumberView)
    assert view.number.state is _S.PROVISIONING
    assert view.lease is not None
    assert (view.lease.use, view.lease.period_days, view.lease.is_renewed) == (Use.DEDICATED, 7, False)
    assert keepers.woken == [view.number.id]


async def test_many_accounts_get_all_numbers_of_a_pool_but_the_last_which_everybody_sends_with(
    database: Database,
) -> None:
    country = "LU"
    await a_pool(database, numbers=3, country=country)
    callers = [await a_caller(database) for _ in range(12)]

    outcomes = await asyncio.gather(
        *(leasing(database).lease(each, from_pool(country)) for each in callers), return_exceptions=True
    )

    got = [each for each in outcomes if isinstance(each, NumberView)]
    assert len({each.number.id for each in got}) == len(got) == 2
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} == {PoolEmptyError}


async def test_of_many_requests_at_once_as_many_pass_as_the_quota_says(database: Database) -> None:
    caller, country = await a_caller(database), "MT"
    await a_pool(database, numbers=8, country=country)

    outcomes = await asyncio.gather(
        *(leasing(database, quota=3).lease(caller, from_pool(country)) for _ in range(8)), return_exceptions=True
    )

    assert sum(isinstance(each, NumberView) for each in outcomes) == 3
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} == {NumberQuotaError}


async def test_a_request_that_is_repeated_leases_one_number(database: Database) -> None:
    caller, country = await a_caller(database), "EE"
    await a_pool(database, numbers=3, country=country)
    use_case = leasing(database)

    first = await use_case.lease(caller, from_pool(country), repeatable=repeatable("key"))
    again = await use_case.lease(caller, from_pool(country), repeatable=repeatable("key"))

    assert isinstance(first, NumberView)
    assert again == StoredAnswer(201, str(first.number.id))
    assert len((await Numbers(database=database).list(caller)).items) == 1
    with pytest.raises(IdempotencyMismatchError):
        await use_case.lease(caller, from_pool(country), repeatable=repeatable("key", "another"))


async def test_a_number_that_somebody_leases_for_its_pool_is_not_lent_alone(database: Database) -> None:
    caller, other = await a_caller(database), await a_caller(database)
    held = await reserved(database, caller)

    with pytest.raises(InsufficientScopeError):
        await leasing(database).lease(caller, LeaseRequest(number_id=held.number.id, use=Use.POOLED))
    with pytest.raises(NotFoundError):
        await leasing(database).lease(other, LeaseRequest(number_id=held.number.id))
    assert (await Numbers(database=database).read(caller, held.number.id)).number.state is _S.RESERVED


async def test_a_reservation_that_lapsed_and_a_number_that_is_leased_are_told_apart(database: Database) -> None:
    caller = await a_caller(database)
    held, gone = await reserved(database, caller), await reserved(database, caller)
    await leasing(database).lease(caller, LeaseRequest(number_id=held.number.id))
    await let_reservation_end(database, gone.number.id)

    with pytest.raises(NumberStateError, match="is leased by its id"):
        await leasing(database).lease(caller, LeaseRequest(number_id=held.number.id))
    with pytest.raises(NumberStateError, match="reservation is over"):
        await leasing(database).lease(caller, LeaseRequest(number_id=gone.number.id))


async def test_a_number_that_cannot_do_what_is_asked_stays_where_it_is(database: Database) -> None:
    caller, country = await a_caller(database), "LV"
    number = await a_number(database, country)
    await a_number(database, country)

    with pytest.raises(CapabilityMissingError):
        await leasing(database).lease(caller, from_pool(country, capabilities=frozenset({"sms", "voice"})))

    async with database.reading() as connection:
        after = await find_number(connection, number.id, environment=SANDBOX)
    assert after == number


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (LeaseRequest(), InvalidRequestError),
        (LeaseRequest(country="GB"), InvalidRequestError),
        (from_pool("GB", use=Use.POOLED), InvalidRequestError),
        (LeaseRequest(country="GB", sender_type=SenderType.ALPHANUMERIC), SenderNotAllowedError),
    ],
)
async def test_a_request_that_says_too_little_or_too_much_is_refused(
    database: Database, request_: LeaseRequest, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await leasing(database).lease(await a_caller(database), request_)
