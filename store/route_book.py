"""What is known of routes, kept in each process for a moment: a start in a busy second asks the database nothing more.

What changed elsewhere is seen when the moment is over. Nothing wrong can be sent in it: a number that was taken away
meanwhile has another fence, which the statement that begins a submission sees.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import RoutePolicyFacts
from domain.statuses import Environment
from rules.routing.breaker import Breaker
from rules.routing.candidates import Authorisation, Candidate
from rules.routing.catalog import Catalog, Policy, SenderType
from rules.routing.connections import connection_name
from rules.routing.outlook import EVERY_TYPE, Outlook, Sender, default_policy
from store.route_facts import RouteFacts, read_route_facts
from store.route_health import CONNECTIONS, read_health
from store.route_policies import EVERYWHERE_ELSE, find_policy

# How old what is known of a country's routes may be; and what an account wants.
OUTLOOK_S, POLICY_S = 1.0, 1.0
# Countries and accounts that were asked for in the last moment; more are read again.
_KEPT = 2_000
_CLOSED = Breaker()
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Country = tuple[Environment, str]


def _loop_time() -> float:
    """Return the seconds by which this process's loops sleep, so that what is believed ages as they do."""
    return asyncio.get_running_loop().time()


class RouteBook:
    """Reads what a choice of a route needs, at most once in a moment for each country and each account's policy.

    `takes` says which kinds of senders a country takes; a country that is missing is like `**`.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        takes: Mapping[str, frozenset[SenderType]],
        clock: Callable[[], float] = _loop_time,
    ) -> None:
        self._catalog = catalog
        self._takes = takes
        self._facts: _Moments[_Country, RouteFacts] = _Moments(clock, OUTLOOK_S)
        self._connections: _Moments[Environment, Mapping[str, Breaker]] = _Moments(clock, OUTLOOK_S)
        self._policies: _Moments[tuple[UUID, _Country], RoutePolicyFacts | None] = _Moments(clock, POLICY_S)

    async def towards(
        self, connection: AsyncConnection, country: str, *, environment: Environment, account_id: UUID
    ) -> tuple[Outlook, RoutePolicyFacts]:
        """Return what may be used towards a country, and how the account wants it used: one statement at most.

        Where the tables have no number in any of the pools concerned, the senders are those of the routes file, and
        another statement in a moment asks after their carriers' connections.
        """
        facts, own = await self._read(connection, country, environment, account_id)
        pools = self._catalog.policy_of(country)
        asked = Policy(pools.primary, pools.backups) if own is None else _pools_of(own, otherwise=pools)
        held = frozenset(each.candidate.route.pool_country for each in facts.senders)
        is_of_file = not held & {country, asked.primary, *asked.backups}
        policy = own or default_policy(country, pools, environment=environment, held=held, is_of_file=is_of_file)
        if is_of_file:
            return self._of_file(country, asked, await self._connections_of(connection, environment)), policy
        return self._of_tables(country, facts), policy

    def forget(self, country: str, *, environment: Environment) -> None:
        """Read what is known of a country anew, whenever it is asked for next."""
        self._facts.drop((environment, country))

    async def _read(
        self, connection: AsyncConnection, country: str, environment: Environment, account_id: UUID
    ) -> tuple[RouteFacts, RoutePolicyFacts | None]:
        key: _Country = (environment, country)
        facts = self._facts.get(key)
        if facts is None:
            facts = await read_route_facts(
                connection, country, environment=environment, account_id=account_id, catalog=self._catalog
            )
            self._facts.keep(key, facts)
            self._policies.keep((account_id, key), facts.policy)
            return facts, facts.policy
        if not self._policies.has((account_id, key)):
            policy = await find_policy(connection, country, account_id=account_id, environment=environment)
            self._policies.keep((account_id, key), policy)
            return facts, policy
        return facts, self._policies.get((account_id, key))

    def _of_tables(self, country: str, facts: RouteFacts) -> Outlook:
        everywhere = frozenset(each.candidate.route.region for each in facts.senders)
        return Outlook(
            country=country,
            senders=facts.senders,
            sender_types=self._takes.get(country, self._takes.get(EVERYWHERE_ELSE, frozenset())),
            carriers=self._catalog.configured,
            # Where no worker is anywhere, the message waits for the first that comes, as it would for a restart.
            regions=facts.regions or everywhere,
        )

    async def _connections_of(self, connection: AsyncConnection, environment: Environment) -> Mapping[str, Breaker]:
        """Return the breakers of carriers' connections: all that is known of senders of a routes file."""
        found = self._connections.get(environment)
        if found is None:
            known = await read_health(connection, CONNECTIONS, environment=environment)
            found = {name: health.breaker for name, health in known.items()}
            self._connections.keep(environment, found)
        return found

    def _of_file(self, country: str, pools: Policy, connections: Mapping[str, Breaker]) -> Outlook:
        routes = self._catalog.routes_in(pools, country)
        since = Authorisation(since=_ALWAYS)
        return Outlook(
            country=country,
            senders=tuple(
                Sender(
                    candidate=Candidate(route=each, place=0, price_micros=0, authorisation=since),
                    connection=connections.get(connection_name(each.carrier, region=each.region), _CLOSED),
                )
                for each in routes
            ),
            sender_types=EVERY_TYPE,
            carriers=self._catalog.configured,
            regions=frozenset(each.region for each in routes),
            is_of_file=True,
        )


class _Moments(Generic[_Key, _Value]):
    """Values that are believed for some seconds."""

    def __init__(self, clock: Callable[[], float], lasts_s: float) -> None:
        self._clock = clock
        self._lasts_s = lasts_s
        self._kept: dict[_Key, tuple[float, _Value]] = {}

    def has(self, key: _Key) -> bool:
        """Say whether there is a value that is still believed."""
        found = self._kept.get(key)
        return found is not None and self._clock() - found[0] < self._lasts_s

    def get(self, key: _Key) -> _Value | None:
        """Return the value, or None when it is believed no longer."""
        return self._kept[key][1] if self.has(key) else None

    def drop(self, key: _Key) -> None:
        """Believe a value no longer."""
        self._kept.pop(key, None)

    def keep(self, key: _Key, value: _Value) -> None:
        """Keep a value from now on."""
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (self._clock(), value)


def _pools_of(policy: RoutePolicyFacts, *, otherwise: Policy) -> Policy:
    return otherwise if policy.primary_pool is None else Policy(policy.primary_pool, policy.backups)
