"""Judging groups of routes: demoted, restored, their breakers told of; each once, in a transaction of its own."""

from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.event_types import EventType
from domain.events import NewEvent
from domain.routing import Mode
from domain.statuses import Environment
from rules.routing.verdicts import Decided, RouteVerdict, alarm_of, verdict_of
from store.engine import Database
from store.events import emit
from store.route_decisions import accounts_concerned, database_now, keep_decision
from store.route_health import Group, read_health, write_health
from store.route_policies import find_policy

_EVENTS: Mapping[Decided, EventType] = {
    Decided.ROUTE_DEMOTED: EventType.ROUTE_DEMOTED,
    Decided.ROUTE_RESTORED: EventType.ROUTE_RESTORED,
    # In every mode: what an open breaker leaves of a route are probes.
    Decided.BREAKER_OPENED: EventType.ROUTE_DEMOTED,
    Decided.BREAKER_CLOSED: EventType.ROUTE_RESTORED,
}
# Where the ranking moves traffic by itself nothing is demoted; the account is told how the pool fares (ADR 0033).
_ADAPTIVE_EVENTS: Mapping[Decided, EventType] = {
    **_EVENTS,
    Decided.ROUTE_DEMOTED: EventType.POOL_UNSTABLE,
    Decided.ROUTE_RESTORED: EventType.POOL_RECOVERED,
}
_OF_POOLS = frozenset({EventType.POOL_UNSTABLE, EventType.POOL_RECOVERED})


class JudgingRoutes:
    """Judges the routes towards a country."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge(self, environment: Environment, country: str) -> list[Decided]:
        """Decide what is to be decided about each group, one thing at a time; return what was."""
        async with self._database.reading() as connection:
            known = await read_health(connection, country, environment=environment)
            now = await database_now(connection)
        made = []
        for name, health in known.items():
            verdict = verdict_of(health, now=now) or alarm_of(health, now=now)
            group = Group(environment=environment, country=country, name=name)
            if verdict is not None and await self._decide(group, verdict):
                made.append(verdict.decided)
        return made

    async def _decide(self, group: Group, verdict: RouteVerdict) -> bool:
        """Write a verdict and tell of it; False, and neither, when more was learnt since: the next look decides."""
        async with self._database.transaction() as connection:
            if not await write_health(connection, group, verdict.health):
                return False
            await keep_decision(
                connection,
                group.country,
                environment=group.environment,
                decided=verdict.decided,
                subject=group.name,
                evidence=verdict.evidence,
            )
            accounts = await accounts_concerned(connection, group.country, environment=group.environment)
            await emit(connection, *[event async for event in _events(connection, group, verdict, accounts)])
        return True


async def _events(
    connection: AsyncConnection, group: Group, verdict: RouteVerdict, accounts: Sequence[UUID]
) -> AsyncIterator[NewEvent]:
    carrier, pool, *_ = group.name.split("/")
    for account_id in accounts:
        policy = await find_policy(connection, group.country, account_id=account_id, environment=group.environment)
        is_adaptive = _mode(policy.mode if policy else None, group.environment) is Mode.ADAPTIVE
        event_type = (_ADAPTIVE_EVENTS if is_adaptive else _EVENTS)[verdict.decided]
        data = (
            {"pool_country": pool, "reason": verdict.reason}
            if event_type in _OF_POOLS
            else {"route_id": group.name, "country": group.country, "carrier": carrier, "reason": verdict.reason}
        )
        yield NewEvent(type=event_type, account_id=account_id, environment=group.environment, data=data)


def _mode(set_: Mode | None, environment: Environment) -> Mode:
    """Return the mode in which an account's messages are routed (`rules/routing/outlook.py`)."""
    return set_ or (Mode.ORDERED if environment is Environment.SANDBOX else Mode.ADAPTIVE)
