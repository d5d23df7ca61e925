"""What to set for a country, beside what the account has set: from the senders there are and how they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.errors import NoRouteError
from domain.facts import Caller
from domain.phone import ensure_country
from domain.routing import NumberFacts
from rules.routing.candidates import Authorisation
from rules.routing.capacity import MICROS, number_bucket
from rules.routing.catalog import Catalog, SenderType
from rules.routing.learning import Health
from rules.routing.number_life import IN_SERVICE
from rules.routing.offers import Need, Offer
from rules.routing.proportions import Share
from rules.routing.recommendation import Recommendation, recommend
from rules.routing.sketch import Sketch, merged
from rules.routing.timers import LEARNT_FROM, RECEIPT_SHARE, VERIFY_SHARE
from services.fact_sources import Source, Sources
from services.route_policies import PolicyView, policy_for
from store.authorisations import authorisations_towards
from store.clock import read_clock
from store.engine import Database
from store.number_views import numbers_in_sight, part_times
from store.route_health import read_health
from store.route_policies import EVERYWHERE_ELSE

# A sender whose rate nobody set is believed to send this much.
_USUAL_PARTS_PER_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """A recommendation, the offers it was made from, where their facts come from, and the policy that holds now."""

    recommendation: Recommendation
    offers: tuple[Offer, ...]
    current: PolicyView
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What there is to go by."""

    country: str
    now: datetime
    authorised: Mapping[tuple[str, str], Authorisation]
    takes: frozenset[SenderType]
    health: Mapping[str, Health]
    rates: Mapping[str, int]


class Recommendations:
    """Recommends pools, kind and number of senders, and timers. `takes` is what each country takes as senders."""

    def __init__(
        self,
        *,
        database: Database,
        catalog: Catalog,
        takes: Mapping[str, frozenset[SenderType]],
        sources: Sources,
    ) -> None:
        self._sources = sources
        self._database = database
        self._catalog = catalog
        self._takes = takes

    async def recommend(self, caller: Caller, need: Need) -> Recommended:
        """Return what to set for a country.

        Raises:
            UnknownCountryError: there is no such country.
            NoRouteError: no pool of this environment may serve it.

        """
        country = need.country
        ensure_country(country)
        async with self._database.reading() as connection:
            found = await numbers_in_sight(connection, account_id=caller.account_id, environment=caller.environment)
            numbers = [each for each, _ in found if each.state in IN_SERVICE]
            known = _Known(
                country=country,
                now=await read_clock(connection),
                authorised=await authorisations_towards(connection, country, environment=caller.environment),
                takes=self._takes.get(country, self._takes.get(EVERYWHERE_ELSE, frozenset())),
                health=await read_health(connection, country, environment=caller.environment),
                rates=await part_times(connection, [number_bucket(each.id) for each in numbers]),
            )
            current = await policy_for(connection, caller, country, catalog=self._catalog, numbers=numbers)
        offers = _offers(numbers, known)
        found_best = recommend(need, offers)
        if found_best is None:
            raise NoRouteError(
                f"No sender of this environment may be used towards {country}, so there is none to advise."
            )
        return Recommended(
            recommendation=found_best,
            offers=offers,
            current=current,
            sources=self._sources.of(country, environment=caller.environment),
        )


def _offers(numbers: Sequence[NumberFacts], known: _Known) -> tuple[Offer, ...]:
    kinds = sorted({(each.country, each.sender_type) for each in numbers})
    return tuple(
        _offer([each for each in numbers if (each.country, each.sender_type) == kind], known) for kind in kinds
    )


def _offer(senders: Sequence[NumberFacts], known: _Known) -> Offer:
    first = senders[0]
    usable = [each for each in senders if _is_authorised(each, known)]
    is_taken = SenderType(first.sender_type) in known.takes
    of_kind = [
        health for name, health in known.health.items() if name.split("/")[1:3] == [first.country, first.sender_type]
    ]
    receipts = merged(*(each.receipts for each in of_kind))
    proofs = merged(*(each.proofs for each in of_kind))
    proved = sum(each.evidence.proved for each in of_kind)
    return Offer(
        pool_country=first.country,
        sender_type=SenderType(first.sender_type),
        price_micros=min(each.price_micros for each in usable or senders),
        parts_per_s=max(_per_s(each, known) for each in usable or senders),
        monthly_micros=min(each.monthly_micros for each in usable or senders),
        senders=len(usable),
        carriers=frozenset(each.carrier for each in usable),
        is_allowed=is_taken and bool(usable),
        rule=_rule(known.country, is_taken=is_taken, usable=len(usable), of=len(senders)),
        proved=Share(proved, proved + sum(each.evidence.unproved for each in of_kind)),
        receipt_p95_s=_learnt(receipts, RECEIPT_SHARE),
        verify_p90_s=_learnt(proofs, VERIFY_SHARE),
    )


def _learnt(times: Sketch, share: float) -> float | None:
    """Return how long a share of them took; None until there are as many as a wait is learnt from."""
    return times.quantile(share) if times.total >= LEARNT_FROM else None


def _is_authorised(number: NumberFacts, known: _Known) -> bool:
    found = known.authorised.get((number.sender, number.carrier))
    return found is not None and found.covers(known.now)


def _per_s(number: NumberFacts, known: _Known) -> float:
    part_us = known.rates.get(number_bucket(number.id))
    return _USUAL_PARTS_PER_S if part_us is None else MICROS / part_us


def _rule(country: str, *, is_taken: bool, usable: int, of: int) -> str:
    if not is_taken:
        return f"{country} does not take senders of this kind"
    return f"{usable} of {of} senders are authorised for {country}" if usable else f"none is authorised for {country}"
