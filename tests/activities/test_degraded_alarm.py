"""Where nothing healthy is left the account is told, once in a quarter of an hour, and otherwise nothing is asked."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event
from structlog.testing import capture_logs

from domain.facts import Caller
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.learning import Health
from store.degraded import TOLD_ONCE_IN_S
from store.engine import Database
from store.router import Router
from tests.activities.test_routes_from_pools import a_sender, know, pending_to
from tests.building import a_caller, a_router
from tests.store.numbering import a_country
from tests.store.test_store_events import events_of

# Its next probe is far away, so that what is taken is the least bad.
OPEN = Breaker(state=BreakerState.OPEN, probe_at=datetime(2126, 1, 1, tzinfo=UTC))


class LostError(Exception):
    """What ends a transaction."""


async def with_an_open_breaker(database: Database) -> str:
    country = a_country()
    await a_sender(database, country)
    await know(database, f"alpha/{country}/long_code/sms", country, Health(breaker=OPEN))
    return country


async def chosen(database: Database, router: Router, country: str, caller: Caller, *, later_s: int = 0) -> list[str]:
    """Choose a route for a new verification; return the statements that it took."""
    facts, statements = await pending_to(database, country, caller), list[str]()
    facts = replace(facts, read_at=facts.read_at + timedelta(seconds=later_s))
    async with database.transaction() as connection:

        @event.listens_for(connection.sync_connection, "before_cursor_execute")
        def note(*arguments: Any) -> None:
            statements.append(arguments[2])

        routed = await router.begin(connection, facts, [])
    assert routed.choice.reason
    return statements


async def alarms(database: Database, caller: Caller) -> list[Any]:
    return [each.data for each in await events_of(database, caller) if each.type == "pool.unstable"]


async def test_an_account_is_told_once_by_however_many_processes(database: Database) -> None:
    country, caller = await with_an_open_breaker(database), await a_caller(database)

    with capture_logs() as logs:
        for _ in range(3):
            router = a_router()
            for _ in range(3):
                await chosen(database, router, country, caller)

    assert await alarms(database, caller) == [{"pool_country": country, "reason": "degraded"}]
    assert [each for each in logs if each["event"] == "nothing_is_healthy"] == 3 * [
        {"event": "nothing_is_healthy", "log_level": "warning", "country": country, "carrier": "alpha"}
    ]


async def test_it_is_told_again_in_the_next_quarter_of_an_hour_while_it_lasts(database: Database) -> None:
    country, caller, router = await with_an_open_breaker(database), await a_caller(database), a_router()

    for later_s in (0, TOLD_ONCE_IN_S, 2 * TOLD_ONCE_IN_S):
        await chosen(database, router, country, caller, later_s=later_s)

    assert len(await alarms(database, caller)) == 3


async def test_each_account_is_told_for_itself(database: Database) -> None:
    country, router = await with_an_open_breaker(database), a_router()
    callers = [await a_caller(database) for _ in range(2)]

    for each in callers:
        await chosen(database, router, country, each)

    assert [len(await alarms(database, each)) for each in callers] == [1, 1]


async def test_what_was_told_in_a_transaction_that_did_not_last_is_told_again(database: Database) -> None:
    country, caller, router = await with_an_open_breaker(database), await a_caller(database), a_router()
    facts = await pending_to(database, country, caller)
    with suppress(LostError):
        async with database.transaction() as connection:
            await router.begin(connection, facts, [])
            raise LostError
    lost = await alarms(database, caller)

    await chosen(database, router, country, caller, later_s=61)

    assert (lost, len(await alarms(database, caller))) == ([], 1)


async def test_a_choice_costs_one_statement_where_something_is_healthy_and_a_second_one_only_to_tell(
    database: Database,
) -> None:
    country, caller, router = await with_an_open_breaker(database), await a_caller(database), a_router()

    degraded = [len(await chosen(database, router, country, caller)) for _ in range(3)]
    await a_sender(database, country, carrier="bravo")
    router = a_router()
    healthy = [len(await chosen(database, router, country, caller)) for _ in range(2)]

    assert max(degraded[1:] + healthy[1:]) == 0
    assert (degraded[0], healthy[0]) == (2, 1)
