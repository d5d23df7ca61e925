"""Which routes may be taken at all: hard filters, each with an id that is kept in the record.

Pure: frozen facts in, verdicts out. Every rule is asked of every candidate, so that the record says all that stood
against it. Only the rules about health may be set aside, and only when nothing healthy is left.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.routing.candidates import Candidate, Situation


class Rule(StrEnum):
    """What removes a candidate. The words are stored with attempts, so they stay as they are."""

    COUNTRY_NOT_PERMITTED = "country_not_permitted"
    SENDER_NOT_AUTHORISED = "sender_not_authorised"
    SENDER_TYPE_NOT_ALLOWED = "sender_type_not_allowed"
    TEMPLATE_NOT_REGISTERED = "template_not_registered"
    CHANNEL_NOT_ALLOWED = "channel_not_allowed"
    CARRIER_NOT_CONFIGURED = "carrier_not_configured"
    NUMBER_NOT_IN_SERVICE = "number_not_in_service"
    REGION_WITHOUT_WORKERS = "region_without_workers"
    PRICE_OVER_CEILING = "price_over_ceiling"
    NO_CAPACITY = "no_capacity"
    BREAKER_OPEN = "breaker_open"
    QUARANTINED = "quarantined"


_BREAKS: Mapping[Rule, Callable[[Candidate, Situation], bool]] = {
    Rule.COUNTRY_NOT_PERMITTED: lambda _, now: not now.is_country_permitted,
    Rule.SENDER_NOT_AUTHORISED: lambda one, now: one.authorisation is None or not one.authorisation.covers(now.now),
    Rule.SENDER_TYPE_NOT_ALLOWED: lambda one, now: one.route.sender_type not in now.sender_types,
    Rule.TEMPLATE_NOT_REGISTERED: lambda one, _: not one.is_template_registered,
    Rule.CHANNEL_NOT_ALLOWED: lambda one, now: one.route.channel not in now.channels,
    Rule.CARRIER_NOT_CONFIGURED: lambda one, now: one.route.carrier not in now.carriers,
    Rule.NUMBER_NOT_IN_SERVICE: lambda one, _: not one.is_in_service,
    Rule.REGION_WITHOUT_WORKERS: lambda one, now: one.route.region not in now.regions,
    Rule.PRICE_OVER_CEILING: lambda one, now: now.ceiling_micros is not None and one.price_micros > now.ceiling_micros,
    Rule.NO_CAPACITY: lambda one, _: not one.has_capacity,
    Rule.BREAKER_OPEN: lambda one, _: one.is_breaker_open and not one.probes,
    Rule.QUARANTINED: lambda one, _: one.is_quarantined and not one.probes,
}
# A route that is not well may still be better than none; one that is not allowed never is.
_ABOUT_HEALTH = frozenset({Rule.BREAKER_OPEN, Rule.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Removed:
    """A candidate that may not be taken, and every rule that says so."""

    id: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Eligible:
    """The candidates that may be taken. `is_degraded`: none of them is healthy, they are the least bad."""

    candidates: tuple[Candidate, ...]
    removed: tuple[Removed, ...]
    is_degraded: bool


def broken_rules(candidate: Candidate, situation: Situation) -> tuple[Rule, ...]:
    """Return every rule that removes a candidate, in the order of the rules; none when it may be taken."""
    return tuple([rule for rule, is_broken in _BREAKS.items() if is_broken(candidate, situation)])


def eligible(candidates: Iterable[Candidate], situation: Situation) -> Eligible:
    """Return the candidates that may be taken; if there are none, those that only their health speaks against."""
    judged = [(each, broken_rules(each, situation)) for each in candidates]
    healthy = tuple(each for each, rules in judged if not rules)
    unwell = () if healthy else tuple(each for each, rules in judged if _ABOUT_HEALTH.issuperset(rules))
    taken = {id(each) for each in healthy or unwell}
    removed = sorted((Removed(each.id, rules) for each, rules in judged if id(each) not in taken), key=_name)
    return Eligible(candidates=healthy or unwell, removed=tuple(removed), is_degraded=bool(unwell))


def _name(removed: Removed) -> str:
    return removed.id
