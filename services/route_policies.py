"""How an account's messages reach each country: what it has set, or what holds where it has set nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import AuditEntry
from domain.errors import NoRouteError, NotFoundError
from domain.event_types import EventType
from domain.events import NewEvent
from domain.facts import Caller
from domain.number_errors import InvalidPolicyError
from domain.phone import ensure_country
from domain.routing import NumberFacts, RoutePolicyFacts
from rules.routing.candidates import Authorisation
from rules.routing.catalog import Catalog, SenderType
from rules.routing.outlook import default_policy
from rules.routing.policies import PoolMember, pools_in_vain, why_impossible
from services.pool_judging import PoolJudges
from store.audit import record
from store.authorisations import authorisations_towards
from store.clock import read_clock
from store.engine import Database
from store.events import emit
from store.number_views import numbers_in_sight
from store.route_policies import EVERYWHERE_ELSE, find_policy, list_policies, put_policy, remove_policy


class PolicySource(StrEnum):
    """Whose word a policy is: the account's for the country, its word for everywhere else, or the instance's."""

    ACCOUNT = "account"
    EVERYWHERE_ELSE = "everywhere_else"
    INSTANCE = "instance"


# How callers name everywhere else.
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A policy as it holds for a country, or by default."""

    country: str
    policy: RoutePolicyFacts
    source: PolicySource

    @property
    def destination(self) -> str:
        """Return the country, or the word for everywhere else."""
        return DEFAULT if self.country == EVERYWHERE_ELSE else self.country


def destination_of(name: str) -> str:
    """Return the country that a caller names, or what stands for everywhere else in the store.

    Raises:
        UnknownCountryError: there is no such country.

    """
    if name == DEFAULT:
        return EVERYWHERE_ELSE
    ensure_country(name)
    return name


class RoutePolicies:
    """Shows and sets policies. `takes` is what kinds of sender each country takes."""

    def __init__(
        self,
        *,
        database: Database,
        catalog: Catalog,
        takes: Mapping[str, frozenset[SenderType]],
        judges: PoolJudges,
    ) -> None:
        self._judges = judges
        self._database = database
        self._catalog = catalog
        self._takes = takes

    async def list(self, caller: Caller) -> tuple[PolicyView, ...]:
        """Return all that an account has set, by country."""
        async with self._database.reading() as connection:
            found = await list_policies(connection, account_id=caller.account_id, environment=caller.environment)
        return tuple(PolicyView(country=each.country, policy=each, source=PolicySource.ACCOUNT) for each in found)

    async def read(self, caller: Caller, destination: str) -> PolicyView:
        """Return what holds for a country, or by default.

        Raises:
            UnknownCountryError: there is no such country.

        """
        country = destination_of(destination)
        async with self._database.reading() as connection:
            found = await numbers_in_sight(connection, account_id=caller.account_id, environment=caller.environment)
            numbers = [each for each, _ in found]
            return await policy_for(connection, caller, country, catalog=self._catalog, numbers=numbers)

    async def put(self, caller: Caller, policy: RoutePolicyFacts) -> PolicyView:
        """Set how messages reach a country, or everywhere else.

        Raises:
            InvalidPolicyError: the policy contradicts itself.
            NoRouteError: a pool of it has no sender that may be used there.

        """
        why = why_impossible(policy)
        if why is not None:
            raise InvalidPolicyError(why)
        async with self._database.transaction() as connection:
            await self._ensure_senders(connection, caller, policy)
            await put_policy(connection, policy, account_id=caller.account_id, environment=caller.environment)
            await _tell(connection, caller, policy, destination=policy.country)
        self._judges.ask()
        return PolicyView(country=policy.country, policy=policy, source=PolicySource.ACCOUNT)

    async def take_back(self, caller: Caller, destination: str) -> PolicyView:
        """Take back what was set for a country, or for everywhere else; return what holds there now.

        Raises:
            UnknownCountryError: there is no such country.
            NotFoundError: nothing was set for it.

        """
        country = destination_of(destination)
        account_id, environment = caller.account_id, caller.environment
        async with self._database.transaction() as connection:
            if not await remove_policy(connection, country, account_id=account_id, environment=environment):
                raise NotFoundError("This account has set no policy for this destination.")
            found = await numbers_in_sight(connection, account_id=account_id, environment=environment)
            numbers = [each for each, _ in found]
            now_holds = await policy_for(connection, caller, country, catalog=self._catalog, numbers=numbers)
            await _tell(connection, caller, now_holds.policy, destination=country)
        self._judges.ask()
        return now_holds

    async def _ensure_senders(self, connection: AsyncConnection, caller: Caller, policy: RoutePolicyFacts) -> None:
        """Let a policy pass each of whose pools has a sender that may be used for its country.

        Where the tables have no number in any of the pools concerned, the routes file is what there is.
        """
        now = await read_clock(connection)
        found = await numbers_in_sight(connection, account_id=caller.account_id, environment=caller.environment)
        members = tuple(
            PoolMember(
                pool_country=each.country,
                carrier=each.carrier,
                sender=each.sender,
                sender_type=SenderType(each.sender_type),
            )
            for each, _ in found
        )
        authorised = await authorisations_towards(connection, policy.country, environment=caller.environment)
        takes = self._takes.get(policy.country, self._takes.get(EVERYWHERE_ELSE, frozenset()))
        if not {each.pool_country for each in members} & {policy.country, policy.primary_pool, *policy.backups}:
            members, takes = self._of_file(policy.country), frozenset(SenderType)
            authorised = {(each.sender, each.carrier): Authorisation(since=now) for each in members}
        in_vain = list(pools_in_vain(policy, members, authorised=authorised, takes=takes, now=now))
        if in_vain:
            raise NoRouteError(
                f"Nothing was set: {'; '.join(why for _, why in in_vain)}.",
                fields={"pools": [pool for pool, _ in in_vain]},
            )

    def _of_file(self, country: str) -> tuple[PoolMember, ...]:
        return tuple(
            PoolMember(
                pool_country=each.pool_country, carrier=each.carrier, sender=each.sender, sender_type=each.sender_type
            )
            for each in self._catalog.usable_in(country)
        )


async def policy_for(
    connection: AsyncConnection, caller: Caller, country: str, *, catalog: Catalog, numbers: Iterable[NumberFacts]
) -> PolicyView:
    """Return what holds for a country: the account's word, else that for everywhere else, else the instance's.

    `numbers` are those that the account can send with, in all pools.
    """
    own = await find_policy(connection, country, account_id=caller.account_id, environment=caller.environment)
    if own is not None:
        source = PolicySource.ACCOUNT if own.country == country else PolicySource.EVERYWHERE_ELSE
        return PolicyView(country=country, policy=own, source=source)
    pools, held = catalog.policy_of(country), frozenset(each.country for each in numbers)
    policy = default_policy(
        country,
        pools,
        environment=caller.environment,
        held=held,
        is_of_file=not held & {country, pools.primary, *pools.backups},
    )
    return PolicyView(country=country, policy=policy, source=PolicySource.INSTANCE)


async def _tell(connection: AsyncConnection, caller: Caller, policy: RoutePolicyFacts, *, destination: str) -> None:
    """Say what holds for a destination from now on."""
    told: dict[str, str | bool | None] = {
        "country": destination,
        "allowed": policy.is_allowed,
        "primary_pool": policy.primary_pool,
        "mode": policy.mode.value,
    }
    await emit(
        connection,
        NewEvent(
            type=EventType.ROUTE_POLICY_CHANGED,
            account_id=caller.account_id,
            environment=caller.environment,
            data=told,
        ),
    )
    entry = AuditEntry(
        account_id=caller.account_id,
        environment=caller.environment,
        actor=caller.actor,
        action="policy.changed",
        subject=f"policy:{destination}",
        details={
            **told,
            "backup_pools": " ".join(policy.backups),
            "max_attempts": policy.max_attempts,
            "max_carriers": policy.max_carriers,
            "cost_cap_micros": policy.cost_cap_micros,
            "receipt_wait_s": policy.receipt_wait_s,
            "verify_wait_s": policy.verify_wait_s,
            "auto_resend": policy.is_resent,
            "auto_rotate": policy.is_rotated,
        },
    )
    await record(connection, entry)
