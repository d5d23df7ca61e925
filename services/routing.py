"""Why routes were taken, how they fare, which one a message would take now: looked at, and nothing changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import NotFoundError
from domain.facts import AttemptFacts, Caller
from domain.phone import parse_phone
from domain.routing import Mode
from domain.statuses import Channel
from rules.routing.breaker import BreakerState
from rules.routing.explanation import Explanation, of_text
from rules.routing.learning import Health
from rules.routing.verdicts import DecisionFacts
from security.keyring import KeyRing
from store.attempts import attempts_of, explanations_of
from store.engine import Database
from store.guards import NumberKey, last_sender_of
from store.route_decisions import database_now, decisions
from store.route_health import CONNECTIONS, read_country_healths, read_health
from store.router import Errand, Router
from store.verifications import read_verification_of

_MOST_DECISIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """How a group of routes fares towards a country. `conversion` is what is expected of a message."""

    country: str
    group: str
    conversion: float
    proved: float
    unproved: float
    breaker: BreakerState
    probe_at: datetime | None
    demoted_at: datetime | None
    demoted_for: str | None
    receipt_wait_s: int | None
    verify_wait_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """How a carrier's connection in a region fares, whatever the country."""

    carrier: str
    region: str
    breaker: BreakerState
    probe_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoutesHealth:
    """How routes fare, and carriers' connections, and what was decided about them lately, newest first."""

    routes: tuple[RouteView, ...]
    connections: tuple[ConnectionView, ...]
    decisions: tuple[DecisionFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Which route a message would take now. `route` None: none."""

    country: str
    mode: Mode
    route: str | None
    reason: str
    price_micros: int | None
    receipt_wait_s: int | None
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class ExplainedAttempt:
    """An attempt with the choice of its route; None of those that were planned before choices were kept."""

    attempt: AttemptFacts
    explanation: Explanation | None


class Routing:
    """Answers what accounts ask about routes."""

    def __init__(self, *, database: Database, router: Router, keys: KeyRing) -> None:
        self._database = database
        self._router = router
        self._keys = keys

    async def health(self, caller: Caller, *, country: str | None) -> RoutesHealth:
        """Return how the routes towards a country fare, or those towards all, in the caller's environment.

        What was decided about a number that an account has alone is for it, and for who administers accounts.
        """
        async with self._database.reading() as connection:
            known = await read_country_healths(connection, country, environment=caller.environment)
            connections = await read_health(connection, CONNECTIONS, environment=caller.environment)
            made = await decisions(
                connection,
                environment=caller.environment,
                country=country,
                at_most=_MOST_DECISIONS,
                in_sight_of=None if caller.administers_accounts else caller.account_id,
            )
        newest: dict[str, int] = {}
        for group, health in known:
            newest[group.country] = max(newest.get(group.country, 0), health.evidence.at)
        views = []
        for group, health in known:
            evidence = health.evidence.aged(newest[group.country])
            views.append(
                RouteView(
                    country=group.country,
                    group=group.name,
                    conversion=round(evidence.mean, 4),
                    proved=round(evidence.proved, 3),
                    unproved=round(evidence.unproved, 3),
                    breaker=health.breaker.state,
                    probe_at=health.breaker.probe_at,
                    demoted_at=health.demoted_at,
                    demoted_for=health.demoted_for,
                    receipt_wait_s=health.receipt_wait_s,
                    verify_wait_s=health.verify_wait_s,
                )
            )
        return RoutesHealth(routes=tuple(views), connections=_connections(connections), decisions=tuple(made))

    async def explain(self, caller: Caller, to: str, *, channel: Channel) -> DryRun:
        """Return which route a message to a number would take now, and why; nothing is sent, counted or changed.

        Raises:
            InvalidNumberError, UnknownCountryError, NumberTypeError: the text names no number that may be verified.

        """
        phone = parse_phone(to, environment=caller.environment)
        number_hash = self._keys.lookup_hash(phone.e164)
        number = NumberKey(account_id=caller.account_id, environment=caller.environment, number_hash=number_hash)
        async with self._database.reading() as connection:
            errand = Errand(
                account_id=caller.account_id,
                environment=caller.environment,
                country=phone.country,
                channel=channel,
                number_hash=number_hash,
                read_at=await database_now(connection),
            )
            look = await self._router.look(connection, errand, last_sender=await last_sender_of(connection, number))
        taken = look.candidate
        return DryRun(
            country=phone.country,
            mode=look.mode,
            route=None if taken is None else taken.id,
            reason=look.reason,
            price_micros=None if taken is None else taken.price_micros,
            receipt_wait_s=None if taken is None else look.receipt_wait_s,
            explanation=look.explanation,
        )

    async def of_verification(self, caller: Caller, verification_id: UUID) -> tuple[ExplainedAttempt, ...]:
        """Return why each attempt of a verification took its route, the first attempt first.

        Raises:
            NotFoundError: the account has no such verification.

        """
        async with self._database.reading() as connection:
            found = await read_verification_of(
                connection, verification_id, account_id=caller.account_id, environment=caller.environment
            )
            if found is None:
                raise NotFoundError("This account has no verification with this id.")
            attempts = await attempts_of(connection, verification_id)
            kept = await explanations_of(connection, verification_id)
        return tuple(ExplainedAttempt(each, of_text(kept[each.id]) if each.id in kept else None) for each in attempts)


def _connections(known: Mapping[str, Health]) -> tuple[ConnectionView, ...]:
    found = []
    for name, health in known.items():
        carrier, region = name.split("/")
        found.append(
            ConnectionView(
                carrier=carrier, region=region, breaker=health.breaker.state, probe_at=health.breaker.probe_at
            )
        )
    return tuple(found)
