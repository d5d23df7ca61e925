"""A number is kept once, reserved by one, lent to one, and sent with by one; whoever lost it cannot go on."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.routing import EndReason, NumberState, RoutingLease
from domain.statuses import Environment
from store.engine import Database
from store.number_leases import (
    count_released,
    end_lease,
    lease_of_number,
    leases_due,
    renew_lease,
    take_number,
)
from store.numbers import find_number, keep_number, move_number, numbers_of_pool
from store.pool_rotation import set_longest_aside
from store.routing_leases import (
    give_back_routing_lease,
    is_fence_good,
    renew_routing_lease,
    take_routing_lease,
)
from tests.building import a_caller
from tests.store.crowd import Crowd
from tests.store.number_tasks import take_25_numbers, take_25_routing_leases
from tests.store.numbering import (
    SANDBOX,
    a_country,
    a_new_lease,
    a_new_number,
    a_number,
    a_reservation,
    let_lease_end,
    let_reservation_end,
    let_routing_lease_end,
)


async def take_route(database: Database, country: str, *, holder: str = "one") -> RoutingLease | None:
    async with database.statement() as connection:
        return await take_routing_lease(connection, country, environment=SANDBOX, holder=holder, lasts_s=60)


async def is_good(database: Database, lease: RoutingLease) -> bool:
    async with database.reading() as connection:
        return await is_fence_good(connection, lease)


async def test_a_number_is_kept_once(database: Database) -> None:
    new = a_new_number()

    async with database.transaction() as connection:
        kept = await keep_number(connection, new, state=NumberState.AVAILABLE)
        again = await keep_number(
            connection, a_new_number(sender=new.sender, carrier=new.carrier), state=NumberState.AVAILABLE
        )

        abroad = await keep_number(
            connection, a_new_number("IE", sender=new.sender, carrier=new.carrier), state=NumberState.AVAILABLE
        )

    assert (kept, again, abroad) == (True, False, True)


async def test_sandbox_and_production_have_their_own_numbers(database: Database) -> None:
    country = a_country()
    number = await a_number(database, country)

    twin = await a_number(database, country, sender=number.sender, environment=Environment.PRODUCTION)

    async with database.reading() as connection:
        assert await find_number(connection, number.id, environment=Environment.PRODUCTION) is None
        assert await numbers_of_pool(connection, country, environment=Environment.PRODUCTION) == [twin]
        assert await numbers_of_pool(connection, country, environment=SANDBOX) == [number]


async def test_a_number_that_is_reserved_is_nobody_else_s_until_half_an_hour_is_over(database: Database) -> None:
    one, other, new = await a_caller(database), await a_caller(database), a_new_number()

    first = await a_reservation(database, one, new)
    second = await a_reservation(database, other, a_new_number(sender=new.sender))
    assert first is not None
    await let_reservation_end(database, first.id)
    third = await a_reservation(database, other, a_new_number(sender=new.sender))

    assert second is None
    assert third is not None
    assert (third.id, third.account_id, third.state) == (first.id, other.account_id, NumberState.RESERVED)


async def test_a_number_that_was_provisioned_in_time_is_not_reserved_again(database: Database) -> None:
    one, other, new = await a_caller(database), await a_caller(database), a_new_number()
    reserved = await a_reservation(database, one, new)
    assert reserved is not None
    await let_reservation_end(database, reserved.id)
    async with database.transaction() as connection:
        await move_number(connection, reserved.id, seen=NumberState.RESERVED, then=NumberState.PROVISIONING)

    assert await a_reservation(database, other, a_new_number(sender=new.sender)) is None


async def test_of_two_that_move_a_number_one_does(database: Database) -> None:
    number = await a_number(database, a_country())

    async with database.transaction() as connection:
        moved = await move_number(
            connection,
            number.id,
            seen=NumberState.AVAILABLE,
            then=NumberState.QUARANTINED,
            reason="conversion_low",
            lasts_s=86_400,
            relapses=1,
        )
        late = await move_number(connection, number.id, seen=NumberState.AVAILABLE, then=NumberState.SUSPENDED)

    assert moved is not None
    assert (moved.state, moved.state_reason, moved.relapses) == (NumberState.QUARANTINED, "conversion_low", 1)
    assert late is None


async def test_a_move_that_no_number_makes_is_refused(database: Database) -> None:
    number = await a_number(database, a_country())

    async with database.transaction() as connection:
        with pytest.raises(ValueError, match="available does not become retired"):
            await move_number(connection, number.id, seen=NumberState.AVAILABLE, then=NumberState.RETIRED)


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE sender_number SET state = 'lost' WHERE 1 = 1",
        "UPDATE sender_number SET state = 'leased', account_id = NULL WHERE 1 = 1",
        "UPDATE sender_number SET state = 'quarantined', state_until = NULL WHERE 1 = 1",
        "UPDATE routing_lease SET fence = -1 WHERE 1 = 1",
    ],
)
async def test_constraints_refuse_a_number_without_a_holder_or_an_end(database: Database, wrong: str) -> None:
    await a_number(database, a_country())

    with pytest.raises(Exception, match=r"CHECK constraint|CheckViolation"):
        async with database.transaction() as connection:
            await connection.execute(text(wrong))


async def test_of_100_takers_in_several_processes_nine_get_one_of_ten_numbers_and_the_last_stays_the_pool_s(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller, country = await a_caller(database), a_country()
    numbers = [await a_number(database, country) for _ in range(10)]
    await a_number(database, country, sender_type="short_code")

    taken = [each for one in crowd.run(take_25_numbers, url=database_url, argument=(caller, country)) for each in one]

    assert len(set(taken)) == len(taken) == 9
    async with database.reading() as connection:
        kept = {each.sender: each for each in await numbers_of_pool(connection, country, environment=SANDBOX)}
        leases = {each.sender: await lease_of_number(connection, each.id) for each in numbers}
    (last,) = set(leases) - set(taken)
    assert (kept[last].state, kept[last].account_id, leases[last]) == (NumberState.AVAILABLE, None, None)
    lent = [leases[each] for each in taken]
    assert all(lease is not None and lease.account_id == caller.account_id for lease in lent)


@pytest.mark.parametrize(
    "other", [{"sender_type": "short_code"}, {"environment": Environment.PRODUCTION}, {"country": "another"}]
)
async def test_a_number_of_another_kind_does_not_make_the_last_one_one_to_spare(
    database: Database, other: dict[str, Any]
) -> None:
    caller, country = await a_caller(database), a_country()
    last = await a_number(database, country)
    elsewhere = {**other, "country": a_country() if "country" in other else country}
    await a_number(database, **elsewhere)

    async with database.transaction() as connection:
        none = await take_number(connection, a_new_lease(caller, country))
        after = await find_number(connection, last.id, environment=SANDBOX)
    assert none is None
    assert after == last


async def test_of_those_who_lease_and_those_who_set_aside_at_once_none_gets_the_last_number(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    for _ in range(6):
        await a_number(database, country)

    async def lease() -> bool:
        async with database.transaction() as connection:
            return await take_number(connection, a_new_lease(caller, country)) is not None

    async def set_aside() -> bool:
        async with database.transaction() as connection:
            aside = await set_longest_aside(connection, country, environment=SANDBOX, reason="rotated", lasts_s=60)
            return aside is not None

    made = await asyncio.gather(*(each() for _ in range(8) for each in (lease, set_aside)))

    async with database.reading() as connection:
        left = await numbers_of_pool(connection, country, environment=SANDBOX)
    assert sum(made) == 5
    assert [each.state for each in left].count(NumberState.AVAILABLE) == 1


async def test_of_100_workers_in_several_processes_ten_may_send_with_ten_numbers(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    country = a_country()
    numbers = [await a_number(database, country) for _ in range(10)]

    taken = [each for one in crowd.run(take_25_routing_leases, url=database_url, argument=country) for each in one]

    assert sorted(taken) == sorted((each.id.hex, 1) for each in numbers)


async def test_a_lease_s_terms_are_those_of_its_number(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    number = await a_number(database, country)
    await a_number(database, country)

    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(caller, country))
        none_left = await take_number(connection, a_new_lease(caller, country))

    assert taken is not None
    lent, lease = taken
    assert (lent.state, lent.account_id) == (NumberState.LEASED, caller.account_id)
    assert (lease.number_id, lease.price_micros, lease.currency) == (number.id, 1_500_000, "EUR")
    assert (lease.expires_at - lease.started_at).days in {29, 30}
    assert none_left is None


async def test_another_type_and_another_environment_are_not_lent(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    await a_number(database, country, sender_type="short_code")
    await a_number(database, country, environment=Environment.PRODUCTION)

    async with database.transaction() as connection:
        assert await take_number(connection, a_new_lease(caller, country)) is None


async def test_numbers_that_were_never_in_trouble_are_lent_first(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    troubled, good = await a_number(database, country), await a_number(database, country)
    async with database.transaction() as connection:
        await move_number(
            connection,
            troubled.id,
            seen=NumberState.AVAILABLE,
            then=NumberState.QUARANTINED,
            lasts_s=1,
            relapses=1,
        )
        await move_number(connection, troubled.id, seen=NumberState.QUARANTINED, then=NumberState.AVAILABLE)

        taken = await take_number(connection, a_new_lease(caller, country))

    assert taken is not None
    assert taken[0].id == good.id


async def test_a_lease_is_renewed_once_for_each_period_it_was_seen_in(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    await a_number(database, country)
    await a_number(database, country)
    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(caller, country))
        assert taken is not None
        _, lease = taken

        renewed = await renew_lease(connection, lease)
        again = await renew_lease(connection, lease)

    assert renewed is not None
    assert (renewed.expires_at - lease.expires_at).days == 30
    assert again is None


async def test_a_lease_that_is_over_is_not_renewed_and_ends_once(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    number = await a_number(database, country)
    await a_number(database, country)
    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(caller, country))
    assert taken is not None
    await let_lease_end(database, taken[1].id)

    async with database.transaction() as connection:
        seen = await lease_of_number(connection, number.id)
        assert seen is not None
        due = [each.id for each in await leases_due(connection, within_s=0)]
        renewed = await renew_lease(connection, seen)
        ended = await end_lease(connection, seen.id, reason=EndReason.EXPIRED)
        twice = await end_lease(connection, seen.id, reason=EndReason.RELEASED)
        released = await count_released(connection, caller.account_id, environment=SANDBOX)

    assert seen.id in due
    assert renewed is None
    assert ended is not None
    assert ended.end_reason == "expired"
    assert twice is None
    assert released == 1


async def test_a_worker_that_lost_a_number_cannot_send_with_it(database: Database) -> None:
    country = a_country()
    number = await a_number(database, country)
    first = await take_route(database, country, holder="first")
    assert first is not None
    assert await is_good(database, first)

    await let_routing_lease_end(database, number.id)
    second = await take_route(database, country, holder="second")

    assert second is not None
    assert (second.number_id, second.fence) == (number.id, first.fence + 1)
    assert [await is_good(database, lease) for lease in (first, second)] == [False, True]
    async with database.transaction() as connection:
        assert await renew_routing_lease(connection, first, lasts_s=60) is None
        assert not await give_back_routing_lease(connection, first)
        renewed = await renew_routing_lease(connection, second, lasts_s=600)
    assert renewed is not None
    assert renewed.fence == second.fence
    assert renewed.expires_at > second.expires_at


async def test_a_lease_whose_time_is_over_is_no_good_although_nobody_took_the_number(database: Database) -> None:
    country = a_country()
    number = await a_number(database, country)
    lease = await take_route(database, country)
    assert lease is not None

    await let_routing_lease_end(database, number.id)

    assert not await is_good(database, lease)


async def test_a_number_that_was_given_back_is_lent_again_with_a_higher_fence(database: Database) -> None:
    country = a_country()
    await a_number(database, country)
    first = await take_route(database, country)
    assert first is not None

    async with database.transaction() as connection:
        assert await give_back_routing_lease(connection, first)
    second = await take_route(database, country)

    assert second is not None
    assert second.fence == first.fence + 1


async def test_a_number_out_of_service_is_not_sent_with(database: Database) -> None:
    country = a_country()
    await a_number(database, country, state=NumberState.SUSPENDED)
    await a_number(database, country, state=NumberState.DRAINING)

    assert await take_route(database, country) is None
