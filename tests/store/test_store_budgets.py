"""A budget of N lets N through, on any number of processes, and never N + 1."""

import asyncio
import time

import pytest
from sqlalchemy import select

from domain.errors import CheckBudgetError
from domain.facts import Caller
from domain.ids import new_id
from services.wrong_checks import WrongCheckBudget
from store import budgets
from store.engine import Database
from store.tables import Budget, table_of
from tests.building import a_caller
from tests.store.crowd import Crowd
from tests.store.tasks import spend_50_wrong_guesses, take_50_of_a_budget


def a_scope() -> str:
    return f"test/{new_id().hex}"


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_of_200_takers_in_several_processes_a_budget_lets_its_limit_through(
    database_url: str, crowd: Crowd, limit: int
) -> None:
    taken = crowd.run(take_50_of_a_budget, url=database_url, argument=(a_scope(), limit))

    assert sum(taken) == limit


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_of_200_wrong_guesses_in_several_processes_an_account_s_budget_lets_its_limit_through(
    database: Database, database_url: str, crowd: Crowd, limit: int
) -> None:
    caller = await a_caller(database)

    spent = crowd.run(spend_50_wrong_guesses, url=database_url, argument=(caller, limit))

    assert sum(spent) == limit


async def test_an_amount_that_would_go_over_the_limit_takes_nothing(database: Database) -> None:
    scope = a_scope()

    async with database.transaction() as connection:
        taken = [
            await budgets.take(connection, scope=scope, hour=1, amount=amount, limit=10) for amount in (11, 8, 3, 2, 1)
        ]

    assert taken == [False, True, False, True, False]


async def test_each_hour_and_each_scope_has_its_own_budget(database: Database) -> None:
    one, other = a_scope(), a_scope()

    async with database.transaction() as connection:
        taken = [
            await budgets.take(connection, scope=scope, hour=hour, amount=1, limit=1)
            for scope, hour in ((one, 1), (one, 2), (other, 1), (one, 1))
        ]

    assert taken == [True, True, True, False]


async def test_old_hours_are_forgotten(database: Database) -> None:
    scope = a_scope()
    async with database.transaction() as connection:
        await budgets.take(connection, scope=scope, hour=-5, amount=1, limit=1)

        forgotten = await budgets.forget_before(connection, -4)
        again = await budgets.take(connection, scope=scope, hour=-5, amount=1, limit=1)

    assert forgotten == 1
    assert again is True


async def guess_wrong(budget: WrongCheckBudget, caller: Caller) -> bool:
    try:
        async with budget.one_guess(caller) as spending:
            spending.was_wrong = True
    except CheckBudgetError:
        return False
    return True


async def test_right_codes_cost_nothing(database: Database) -> None:
    caller = await a_caller(database)
    budget = WrongCheckBudget(database, per_account=2)

    for _ in range(10):
        async with budget.one_guess(caller):
            pass

    assert [await guess_wrong(budget, caller) for _ in range(3)] == [True, True, False]


async def test_nobody_is_refused_while_there_is_budget_left_however_the_guesses_overlap(database: Database) -> None:
    caller = await a_caller(database)
    budget = WrongCheckBudget(database, per_account=200)

    async def guess_twenty_times(*, turns: int) -> int:
        allowed = 0
        for _ in range(20):
            allowed += await guess_wrong(budget, caller)
            for _ in range(turns):  # so that guesses arrive at every moment of another one's transaction
                await asyncio.sleep(0)
        return allowed

    allowed = await asyncio.gather(*(guess_twenty_times(turns=5 * at) for at in range(10)))

    assert sum(allowed) == 200
    assert await guess_wrong(budget, caller) is False


async def test_the_instance_s_budget_holds_over_all_accounts(database: Database) -> None:
    callers = [await a_caller(database) for _ in range(3)]
    per_instance = await used_by_the_instance(database) + 4
    budget = WrongCheckBudget(database, per_account=3, per_instance=per_instance)

    allowed = await asyncio.gather(*(guess_wrong(budget, caller) for caller in callers * 3))

    assert sum(allowed) == 4


async def used_by_the_instance(database: Database) -> int:
    """Return what other tests on the same database have used of this hour's budget."""
    table = table_of(Budget)
    query = select(table.c.used).where(table.c.scope == "wrong-checks/instance", table.c.hour == time.time() // 3600)
    async with database.reading() as connection:
        return (await connection.execute(query)).scalar() or 0


async def test_a_refusal_says_when_the_next_hour_begins(database: Database) -> None:
    caller = await a_caller(database)
    budget = WrongCheckBudget(database, per_account=1)
    await guess_wrong(budget, caller)

    with pytest.raises(CheckBudgetError) as refused:
        async with budget.one_guess(caller):
            pass

    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 3_600


async def test_what_is_given_back_can_be_taken_again_and_no_more_than_was_taken(database: Database) -> None:
    scope = a_scope()

    async with database.transaction() as connection:
        await budgets.take(connection, scope=scope, hour=1, amount=2, limit=2)
        await budgets.give_back(connection, scope=scope, hour=1, amount=1)
        await budgets.give_back(connection, scope=scope, hour=1, amount=2)
        again = [await budgets.take(connection, scope=scope, hour=1, amount=1, limit=2) for _ in range(2)]

    assert again == [True, False]
