"""What the pools of an environment hold, can carry, and how they fare."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import NotFoundError
from domain.facts import Caller
from domain.phone import ensure_country
from domain.routing import LeaseFacts, NumberFacts, NumberState, NumberView
from rules.routing.breaker import BreakerState
from rules.routing.capacity import MICROS, number_bucket
from rules.routing.evidence import Evidence
from rules.routing.learning import Health
from rules.routing.number_life import IN_SERVICE
from services.number_changes import view_for
from store.engine import Database
from store.number_views import numbers_in_sight, part_times
from store.route_health import read_health


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSummary:
    """A pool: how many members it has, how many of them send, and how many message parts those send in a second.

    Those on trial (`probing`) are not among them.
    """

    country: str
    members: int
    in_service: int
    set_aside: int
    probing: int
    types: tuple[str, ...]
    carriers: tuple[str, ...]
    parts_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupHealth:
    """How a carrier's senders of one kind fare in their own country. `conversion` is what is expected of a message."""

    carrier: str
    sender_type: str
    proved: float
    unproved: float
    conversion: float
    breaker: BreakerState
    is_demoted: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool with its members and its health; `rates` are parts per second, by the member's place."""

    summary: PoolSummary
    members: tuple[NumberView, ...]
    rates: tuple[float | None, ...]
    health: tuple[GroupHealth, ...]


class CountryPools:
    """Shows pools: the numbers that every account may send with, and those that this one has alone."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list(self, caller: Caller) -> list[PoolSummary]:
        """Return every pool of the environment, by country."""
        async with self._database.reading() as connection:
            found = await numbers_in_sight(connection, account_id=caller.account_id, environment=caller.environment)
            rates = await part_times(connection, [number_bucket(each.id) for each, _ in found])
        countries = sorted({each.country for each, _ in found})
        return [
            _summary(country, [each for each, _ in found if each.country == country], rates) for country in countries
        ]

    async def read(self, caller: Caller, country: str) -> PoolView:
        """Return one pool, with its members and how they fare.

        Raises:
            UnknownCountryError: there is no such country.
            NotFoundError: it has no pool here.

        """
        ensure_country(country)
        async with self._database.reading() as connection:
            found = await numbers_in_sight(
                connection, account_id=caller.account_id, environment=caller.environment, country=country
            )
            if not found:
                raise NotFoundError(f"There is no pool of {country} here; GET /v1/pools lists what there is.")
            rates = await part_times(connection, [number_bucket(each.id) for each, _ in found])
            health = await read_health(connection, country, environment=caller.environment)
        return PoolView(
            summary=_summary(country, [each for each, _ in found], rates),
            members=tuple(_view(caller, number, lease) for number, lease in found),
            rates=tuple(_per_s(rates.get(number_bucket(each.id))) for each, _ in found),
            health=_health(country, health),
        )


def _view(caller: Caller, number: NumberFacts, lease: LeaseFacts | None) -> NumberView:
    return view_for(caller, number, lease) or NumberView(number=number, lease=None, is_own=False)


def _summary(country: str, numbers: Sequence[NumberFacts], rates: dict[str, int]) -> PoolSummary:
    sending = [each for each in numbers if each.state in IN_SERVICE and not each.is_probing]
    return PoolSummary(
        country=country,
        members=len(numbers),
        in_service=len(sending),
        set_aside=sum(1 for each in numbers if each.state is NumberState.QUARANTINED),
        probing=sum(1 for each in numbers if each.is_probing),
        types=tuple(sorted({each.sender_type for each in numbers})),
        carriers=tuple(sorted({each.carrier for each in numbers})),
        parts_per_s=sum(_per_s(rates.get(number_bucket(each.id))) or 0.0 for each in sending),
    )


def _per_s(part_us: int | None) -> float | None:
    return None if part_us is None else round(MICROS / part_us, 3)


def _health(country: str, health: dict[str, Health]) -> tuple[GroupHealth, ...]:
    """Return the health of a pool's groups towards its own country; the name of a group is `Candidate.group`."""
    newest = max((each.evidence.at for each in health.values()), default=0)
    found = []
    for name, each in health.items():
        carrier, pool, sender_type, _ = name.split("/")
        if pool == country:
            found.append(_group(carrier, sender_type, each, each.evidence.aged(newest)))
    return tuple(found)


def _group(carrier: str, sender_type: str, health: Health, evidence: Evidence) -> GroupHealth:
    return GroupHealth(
        carrier=carrier,
        sender_type=sender_type,
        proved=round(evidence.proved, 3),
        unproved=round(evidence.unproved, 3),
        conversion=round(evidence.mean, 4),
        breaker=health.breaker.state,
        is_demoted=health.demoted_at is not None,
        reason=health.demoted_for,
    )
