"""Learning from what became of messages, off their way: every worker looks for outcomes, and each is learnt once.

An outcome is marked in the transaction that writes what it teaches, so a worker that dies between takes nothing along.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import DatabaseUnavailableError
from domain.statuses import Environment
from rules.routing.learning import Outcome, learnt, learnt_of_number
from rules.routing.verdicts import is_news
from services.pool_judging import ByTheClock, PoolJudges
from store.engine import Database
from store.learning import KnownNumber, read_numbers, take_outcomes, write_number
from store.route_health import Group, begin_health, read_health, write_health

# Every outcome waits for this, and no breaker opens sooner.
_LOOK_EVERY_S = 0.5
_LOOK_AGAIN_S = 1.0


class RouteLearning:
    """Learns from outcomes in batches; what is to be decided about at once, `judges` are asked to."""

    def __init__(self, *, database: Database, judges: PoolJudges | None = None) -> None:
        self._database = database
        self._judges = judges or ByTheClock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Learn for as long as the block lasts."""
        learning = asyncio.create_task(self._run(), name="route learning")
        try:
            yield
        finally:
            learning.cancel()
            with suppress(asyncio.CancelledError):
                await learning

    async def learn(self) -> int:
        """Learn one batch; return how many outcomes it had."""
        async with self._database.transaction() as connection:
            outcomes, has_news = await take_outcomes(connection), False
            for (environment, country), of_country in groupby(sorted(outcomes, key=_country), key=_country):
                has_news |= await _learn_routes(connection, Environment(environment), country, list(of_country))
            await _learn_numbers(connection, outcomes)
        if has_news:
            self._judges.ask()
        return len(outcomes)

    async def _run(self) -> None:
        while True:
            try:
                learnt_now = await self.learn()
            except DatabaseUnavailableError:
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                await asyncio.sleep(0 if learnt_now else _LOOK_EVERY_S)


def _country(outcome: Outcome) -> tuple[str, str]:
    return outcome.environment.value, outcome.country


async def _learn_routes(
    connection: AsyncConnection, environment: Environment, country: str, outcomes: Sequence[Outcome]
) -> bool:
    """Write what outcomes teach of a country's routes; say whether something of it is to be judged at once.

    Group by group in one order, so that nobody waits in a circle.
    """
    has_news = False
    for name in sorted({each.group for each in outcomes}):
        group = Group(environment=environment, country=country, name=name)
        of_group = [each for each in outcomes if each.group == name]
        await begin_health(connection, group)
        while True:
            known = await read_health(connection, country, environment=environment)
            number = max(each.evidence.at for each in known.values())
            health = known[name]
            for outcome in of_group:
                number += outcome.is_proved is not None
                health = learnt(health, outcome, number=number)
            if await write_health(connection, group, health):
                has_news |= is_news(known[name], health, now=of_group[-1].at)
                break
    return has_news


async def _learn_numbers(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    for number_id, of_number in groupby(sorted(outcomes, key=_number), key=_number):
        taught = list(of_number)
        while True:
            known = (await read_numbers(connection, [number_id]))[number_id]
            if await write_number(connection, number_id, _after(known, taught)):
                break


def _number(outcome: Outcome) -> UUID:
    return outcome.number_id


def _after(known: KnownNumber, outcomes: Sequence[Outcome]) -> KnownNumber:
    for each in outcomes:
        known = replace(known, record=learnt_of_number(known.record, each))
    return known
