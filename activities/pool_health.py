"""Deciding about routes and numbers from what was learnt of them: each decision once, told in its own transaction."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from domain.audit import SYSTEM, JsonScalar
from domain.event_types import EventType
from domain.events import NewEvent
from domain.ids import number_id as public_id
from domain.messages import PoolHealthReport
from domain.routing import Mode, NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.health import Trouble, quarantine
from rules.routing.number_life import IN_SERVICE
from rules.routing.verdicts import Decided, RouteVerdict, trouble_among, verdict_of
from store.engine import Database
from store.events import emit
from store.number_news import By, tell_moved
from store.numbers import move_number
from store.route_decisions import (
    accounts_concerned,
    countries_with_news,
    database_now,
    forget_record,
    keep_decision,
    known_numbers,
    numbers_back,
)
from store.route_health import Group, read_health, write_health
from store.route_policies import find_policy

_EVENTS: Mapping[tuple[Decided, bool], EventType] = {
    (Decided.ROUTE_DEMOTED, False): EventType.ROUTE_DEMOTED,
    (Decided.ROUTE_RESTORED, False): EventType.ROUTE_RESTORED,
    # Where the ranking moves traffic by itself nothing is demoted; the account is told how the pool fares (ADR 0033).
    (Decided.ROUTE_DEMOTED, True): EventType.POOL_UNSTABLE,
    (Decided.ROUTE_RESTORED, True): EventType.POOL_RECOVERED,
}


class PoolHealthActivities:
    """Judge the routes towards each country, and the numbers of its pool."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @activity.defn
    async def judge_pools(self) -> PoolHealthReport:
        """Decide what is to be decided; run twice, or by two at once, nothing is decided twice."""
        async with self._database.reading() as connection:
            countries = await countries_with_news(connection)
        made: list[Decided] = []
        for environment, country in countries:
            made += await self._judge_routes(environment, country)
            made += await self._set_aside(environment, country)
            made += await self._take_back(environment, country)
        return PoolHealthReport(
            demoted=made.count(Decided.ROUTE_DEMOTED),
            restored=made.count(Decided.ROUTE_RESTORED),
            quarantined=made.count(Decided.NUMBER_QUARANTINED),
            returned=made.count(Decided.NUMBER_RESTORED),
        )

    async def _judge_routes(self, environment: Environment, country: str) -> list[Decided]:
        async with self._database.reading() as connection:
            known = await read_health(connection, country, environment=environment)
            now = await database_now(connection)
        made = []
        for name, health in known.items():
            verdict = verdict_of(health, now=now)
            if verdict is not None and await self._decide(environment, country, name, verdict):
                made.append(verdict.decided)
        return made

    async def _decide(self, environment: Environment, country: str, name: str, verdict: RouteVerdict) -> bool:
        """Write a verdict and tell of it; False, and neither, when more was learnt since: the next look decides."""
        async with self._database.transaction() as connection:
            group = Group(environment=environment, country=country, name=name)
            if not await write_health(connection, group, verdict.health):
                return False
            await keep_decision(
                connection,
                country,
                environment=environment,
                decided=verdict.decided,
                subject=name,
                evidence=verdict.evidence,
            )
            accounts = await accounts_concerned(connection, country, environment=environment)
            await emit(connection, *[event async for event in _events(connection, group, verdict, accounts)])
        return True

    async def _set_aside(self, environment: Environment, country: str) -> list[Decided]:
        """Quarantine the numbers of a pool that do worse than its others."""
        async with self._database.reading() as connection:
            now = await database_now(connection)
            numbers = await known_numbers(connection, country, environment=environment)
        made = []
        for number, record in numbers:
            others = [of_other for other, of_other in numbers if other.id != number.id]
            found = trouble_among(record, others) if number.state in IN_SERVICE else None
            if found is not None:
                # One transaction each: the trail's head is locked last.
                async with self._database.transaction() as connection:
                    is_made = await _quarantine(connection, number, *found, now=now)
                made += [Decided.NUMBER_QUARANTINED] if is_made else []
        return made

    async def _take_back(self, environment: Environment, country: str) -> list[Decided]:
        """Put numbers whose quarantine is over back into service, with nothing known of them."""
        async with self._database.reading() as connection:
            found = await numbers_back(connection, country, environment=environment)
        made = []
        for number in found:
            async with self._database.transaction() as connection:
                is_made = await _restore(connection, number)
            made += [Decided.NUMBER_RESTORED] if is_made else []
        return made


async def _events(
    connection: AsyncConnection, group: Group, verdict: RouteVerdict, accounts: Sequence[UUID]
) -> AsyncIterator[NewEvent]:
    carrier, pool, *_ = group.name.split("/")
    reason = verdict.health.demoted_for or "conversion_returned"
    for account_id in accounts:
        policy = await find_policy(connection, group.country, account_id=account_id, environment=group.environment)
        is_adaptive = _mode(policy.mode if policy else None, group.environment) is Mode.ADAPTIVE
        data = (
            {"pool_country": pool, "reason": reason}
            if is_adaptive
            else {"route_id": group.name, "country": group.country, "carrier": carrier, "reason": reason}
        )
        event_type = _EVENTS[verdict.decided, is_adaptive]
        yield NewEvent(type=event_type, account_id=account_id, environment=group.environment, data=data)


async def _quarantine(
    connection: AsyncConnection,
    number: NumberFacts,
    trouble: Trouble,
    evidence: Mapping[str, JsonScalar],
    *,
    now: datetime,
) -> bool:
    until = quarantine(relapses=number.relapses, now=now).until
    moved = await move_number(
        connection,
        number.id,
        seen=number.state,
        then=NumberState.QUARANTINED,
        reason=trouble.value,
        lasts_s=round((until - now).total_seconds()),
        is_relapse=True,
    )
    return moved is not None and await _tell(connection, moved, number.state, Decided.NUMBER_QUARANTINED, evidence)


async def _restore(connection: AsyncConnection, number: NumberFacts) -> bool:
    then = NumberState.AVAILABLE if number.account_id is None else NumberState.LEASED
    moved = await move_number(connection, number.id, seen=NumberState.QUARANTINED, then=then)
    if moved is None:
        return False
    await forget_record(connection, number.id)
    return await _tell(connection, moved, number.state, Decided.NUMBER_RESTORED, {"relapses": number.relapses})


async def _tell(
    connection: AsyncConnection,
    number: NumberFacts,
    before: NumberState,
    decided: Decided,
    evidence: Mapping[str, JsonScalar],
) -> bool:
    await keep_decision(
        connection,
        number.country,
        environment=number.environment,
        decided=decided,
        subject=public_id(number.id),
        evidence=evidence,
    )
    await tell_moved(connection, number, before=before, by=By(account_id=number.account_id, actor=SYSTEM))
    return True


def _mode(set_: Mode | None, environment: Environment) -> Mode:
    """Return the mode in which an account's messages are routed (`rules/routing/outlook.py`)."""
    return set_ or (Mode.ORDERED if environment is Environment.SANDBOX else Mode.ADAPTIVE)
