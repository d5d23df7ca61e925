"""A number that is set aside is replaced where its account's policy says so, once, and never to get past a filter."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from activities.pool_health import PoolHealthActivities
from activities.rotating import Keeper, Rotating
from domain.facts import Caller
from domain.ids import number_id as public_id
from domain.routing import NumberFacts, NumberState, NumberView, RoutePolicyFacts
from domain.statuses import AccountStatus
from rules.routing.health import MAY_BE_ROTATED, TURNED_AGAINST
from rules.routing.verdicts import Decided
from store.accounts import change_account
from store.engine import Database
from store.number_leases import lease_of_number, take_number
from store.number_tables import SenderNumber
from store.numbers import move_number, number_facts, numbers_of_pool
from store.tables import table_of
from tests.activities.test_pool_health import decided, state_of
from tests.activities.test_routes_from_pools import set_policy
from tests.building import FakeKeepers, a_caller
from tests.store.numbering import SANDBOX, a_country, a_new_lease, a_number, let_days_pass
from tests.store.test_store_events import events_of

_S = NumberState
_keeper: type[Keeper] = FakeKeepers


async def judge(database: Database, *, keeper: FakeKeepers | None = None, quota: int = 10) -> None:
    rotating = Rotating(database=database, keeper=keeper or FakeKeepers(), quota=quota)
    await PoolHealthActivities(database=database, rotating=rotating).judge_pools()


async def rotations(database: Database, view: NumberView, *, quota: int = 10) -> int:
    """Judge, and return how many numbers of the pool were ever replaced."""
    await judge(database, quota=quota)
    return [each.kind for each in await decided(database, view.number.country)].count(Decided.NUMBER_ROTATED)


async def a_leased(database: Database, caller: Caller, country: str) -> NumberView:
    # The last one stays the pool's.
    for _ in range(2):
        await a_number(database, country)
    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(caller, country))
    assert taken is not None
    number, lease = taken
    return NumberView(number=number, lease=lease, is_own=True)


async def set_aside(database: Database, view: NumberView, *, reason: str = "conversion_low") -> None:
    async with database.transaction() as connection:
        moved = await move_number(
            connection, view.number.id, seen=_S.LEASED, then=_S.QUARANTINED, reason=reason, lasts_s=86_400, relapses=1
        )
    assert moved is not None


async def rotating_policy(database: Database, caller: Caller, country: str, **changes: Any) -> None:
    values = {"country": country, "is_allowed": True, "primary_pool": country, "is_rotated": True}
    await set_policy(database, caller, RoutePolicyFacts(**{**values, **changes}))


async def an_aside(database: Database, *, reason: str = "conversion_low", **changes: Any) -> tuple[Caller, NumberView]:
    """Return an account whose policy rotates, and its number of ten days, which is set aside."""
    caller, country = await a_caller(database), a_country()
    view = await a_leased(database, caller, country)
    await rotating_policy(database, caller, country, **changes)
    await let_days_pass(database, view.number.id, days=10)
    await set_aside(database, view, reason=reason)
    return caller, view


async def held_by(database: Database, caller: Caller) -> list[NumberFacts]:
    table = table_of(SenderNumber)
    async with database.reading() as connection:
        rows = await connection.execute(
            table.select().where(table.c.account_id == caller.account_id, table.c.state == _S.LEASED.value)
        )
        return [number_facts(row) for row in rows]


async def numbers_in_service(database: Database, country: str) -> int:
    async with database.reading() as connection:
        return sum(
            each.state is _S.AVAILABLE for each in await numbers_of_pool(connection, country, environment=SANDBOX)
        )


async def test_the_last_number_that_a_pool_has_in_service_takes_nobody_s_place(database: Database) -> None:
    _, view = await an_aside(database)

    assert await numbers_in_service(database, view.number.country) == 1
    assert await rotations(database, view) == 0
    assert await numbers_in_service(database, view.number.country) == 1


@pytest.mark.parametrize("reason", sorted(MAY_BE_ROTATED))
async def test_a_number_that_is_set_aside_is_replaced_once_for_what_is_left(database: Database, reason: str) -> None:
    caller, view = await an_aside(database, reason=reason)
    keeper = FakeKeepers()
    await a_number(database, view.number.country)

    await asyncio.gather(*(judge(database, keeper=keeper) for _ in range(4)))
    old, (new,) = await state_of(database, view.number), await held_by(database, caller)
    async with database.reading() as connection:
        lease = await lease_of_number(connection, new.id)

    assert (old.state, old.state_reason) == (_S.DRAINING, "rotated")
    assert new.id != old.id
    assert (await numbers_in_service(database, old.country)) == 1
    assert lease is not None
    assert (lease.expires_at - lease.started_at) / timedelta(days=1) == pytest.approx(20, abs=0.01)
    assert lease.is_renewed
    assert keeper.woken.count(old.id) == keeper.woken.count(new.id) == 1
    (decision,) = await decided(database, old.country)
    assert (decision.kind, decision.subject) == (Decided.NUMBER_ROTATED, public_id(old.id))
    assert decision.evidence == {"reason": reason, "replaced_by": public_id(new.id)}
    told = [each.data for each in await events_of(database, caller) if each.type == "number.status_changed"]
    assert [each["status"] for each in told[-2:]] == ["leased", "draining"]


@pytest.mark.parametrize("reason", [*sorted(TURNED_AGAINST), "by_hand"])
async def test_what_recipients_or_carriers_turned_against_is_not_replaced(database: Database, reason: str) -> None:
    _, view = await an_aside(database, reason=reason)
    await a_number(database, view.number.country)

    assert await rotations(database, view) == 0
    assert (await state_of(database, view.number)).state is _S.QUARANTINED


@pytest.mark.parametrize(
    "changes", [{"is_rotated": False}, {"is_allowed": False, "primary_pool": None}, {"primary_pool": "GB"}]
)
async def test_none_is_replaced_where_the_policy_does_not_say_so(database: Database, changes: dict[str, Any]) -> None:
    _, view = await an_aside(database, **changes)
    await a_number(database, view.number.country)

    assert await rotations(database, view) == 0


async def test_a_number_of_a_backup_pool_is_replaced_too(database: Database) -> None:
    caller, country, pool = await a_caller(database), a_country(), a_country()
    view = await a_leased(database, caller, pool)
    await rotating_policy(database, caller, country, backups=(a_country(), pool))
    await set_aside(database, view)
    await a_number(database, pool)

    assert await rotations(database, view) == 1


async def test_without_one_of_its_kind_that_is_no_dearer_it_stays_set_aside_until_there_is(database: Database) -> None:
    _, view = await an_aside(database)
    country = view.number.country
    table, dearer = table_of(SenderNumber), view.number.monthly_micros + 1
    async with database.transaction() as connection:
        of_pool = update(table).where(table.c.country == country, table.c.state == _S.AVAILABLE.value)
        await connection.execute(of_pool.values(monthly_micros=dearer))
    await a_number(database, country, monthly_micros=dearer)
    for _ in range(2):
        await a_number(database, country, sender_type="toll_free")

    none = await rotations(database, view)
    still = await state_of(database, view.number)
    await a_number(database, country)

    assert none == 0
    assert still.state is _S.QUARANTINED
    assert await rotations(database, view) == 1


async def test_a_name_is_not_replaced_by_another_one(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    view = await a_leased(database, caller, country)
    await rotating_policy(database, caller, country)
    await set_aside(database, view)
    table = table_of(SenderNumber)
    async with database.transaction() as connection:
        await connection.execute(
            update(table).where(table.c.id == view.number.id).values(sender_type="alphanumeric", sender="ACME")
        )
    for _ in range(2):
        await a_number(database, country, sender_type="alphanumeric")

    assert await rotations(database, view) == 0


async def test_an_account_that_changes_numbers_too_often_gets_no_more(database: Database) -> None:
    caller, view = await an_aside(database)
    for _ in range(2):
        await a_number(database, view.number.country)

    once = await rotations(database, view, quota=0)
    (new,) = await held_by(database, caller)
    await set_aside(database, replace(view, number=new))

    assert once == 1
    assert await rotations(database, view, quota=0) == 1
    assert await rotations(database, view, quota=1) == 2


async def test_who_may_not_send_has_nothing_replaced(database: Database) -> None:
    caller, view = await an_aside(database)
    await a_number(database, view.number.country)
    async with database.transaction() as connection:
        await change_account(connection, caller.account_id, {"status": AccountStatus.SUSPENDED})

    assert await rotations(database, view) == 0
