"""Learning from what became of messages, off their way: every worker looks for outcomes, and each is learnt once.

An outcome is marked in the transaction that writes what it teaches, so a worker that dies between takes nothing along.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import DatabaseUnavailableError
from domain.statuses import Environment
from rules.routing.learning import Health, Outcome, learnt, learnt_of_connection, learnt_of_number
from rules.routing.verdicts import is_news
from services.pool_judging import ByTheClock, PoolJudges
from store.engine import Database
from store.learning import BATCH, KnownNumber, read_numbers, take_outcomes, write_number
from store.route_health import CONNECTIONS, Group, begin_health, read_health, write_health

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
            # In one order, so that nobody waits in a circle.
            for group, taught in groupby(sorted(_lessons(outcomes), key=_of), key=_of):
                has_news |= await _learn(
                    connection,
                    Group(environment=group[0], country=group[1], name=group[2]),
                    [outcome for _, outcome in taught],
                )
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
                # Together what came together: only who has fallen behind goes on at once.
                await asyncio.sleep(0 if learnt_now == BATCH else _LOOK_EVERY_S)


def _lessons(outcomes: Iterable[Outcome]) -> Iterator[tuple[Group, Outcome]]:
    """Yield what each outcome teaches of: its carrier's connection by its answer, and its group of routes."""
    for each in outcomes:
        if each.answer is not None:
            yield Group(environment=each.environment, country=CONNECTIONS, name=each.connection), each
        if each.number_id is not None:
            yield Group(environment=each.environment, country=each.country, name=each.group), each


def _of(lesson: tuple[Group, Outcome]) -> tuple[Environment, str, str]:
    group, _ = lesson
    return group.environment, group.country, group.name


async def _learn(connection: AsyncConnection, group: Group, outcomes: Sequence[Outcome]) -> bool:
    """Write what outcomes teach of a group; say whether something of it is to be judged at once."""
    await begin_health(connection, group)
    while True:
        known = await read_health(connection, group.country, environment=group.environment)
        health = _taught(known, group, outcomes)
        if await write_health(connection, group, health):
            return is_news(known[group.name], health, now=outcomes[-1].at)


def _taught(known: Mapping[str, Health], group: Group, outcomes: Sequence[Outcome]) -> Health:
    health = known[group.name]
    number = max(each.evidence.at for each in known.values())
    for outcome in outcomes:
        if group.country == CONNECTIONS:
            health = learnt_of_connection(health, outcome)
        else:
            number += outcome.is_proved is not None
            health = learnt(health, outcome, number=number)
    return health


async def _learn_numbers(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    of_pools = sorted((each.number_id, at) for at, each in enumerate(outcomes) if each.number_id is not None)
    for number_id, places in groupby(of_pools, key=_number):
        taught = [outcomes[at] for _, at in places]
        while True:
            known = (await read_numbers(connection, [number_id]))[number_id]
            if await write_number(connection, number_id, _after(known, taught)):
                break


def _number(place: tuple[UUID, int]) -> UUID:
    number_id, _ = place
    return number_id


def _after(known: KnownNumber, outcomes: Sequence[Outcome]) -> KnownNumber:
    for each in outcomes:
        known = replace(known, record=learnt_of_number(known.record, each))
    return known
