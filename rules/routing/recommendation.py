"""What to set for a country: pools, kind of sender, number of senders and timers, each with its reason.

Pure. A recommendation rests on what the instance knows: the country's sender rules and what each pool's senders did. It
says which facts those are, so that a reader can disagree.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.routing import Mode
from rules.routing.catalog import SenderType
from rules.routing.health import CONFIDENCE
from rules.routing.proportions import Share, lower_bound
from rules.routing.timers import RECEIPT_BOUNDS_S, VERIFY_BOUNDS_S

# An hour of a busy day beside the month's average; what senders must be able to carry.
PEAK_FACTOR = 10
_MONTH_S = 30 * 86_400
# Before anything was sent a pool is believed to be ordinary, and not very much so.
_PRIOR = Share(16, 20)
_NOTHING = Share(0, 0)
BACKUPS = 2


class Priority(StrEnum):
    """What matters most to the account."""

    COST = "cost"
    SPEED = "speed"
    CONVERSION = "conversion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one kind of sender of one pool would be towards the country. `parts_per_s` is one sender's."""

    pool_country: str
    sender_type: SenderType
    price_micros: int
    parts_per_s: float
    is_allowed: bool
    rule: str
    proved: Share = _NOTHING
    receipt_p95_s: float | None = None
    verify_p90_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is asked for. `parts` is how many parts a message of this use case has."""

    country: str
    monthly_volume: int
    priority: Priority
    parts: int = 1

    @property
    def peak_parts_per_s(self) -> float:
        """Return the parts in a second of the busiest hour."""
        return self.monthly_volume * self.parts * PEAK_FACTOR / _MONTH_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to set, and why; `refused` are the offers that a rule removed, each with the rule."""

    primary: str
    backups: tuple[str, ...]
    sender_type: SenderType
    senders: int
    mode: Mode
    receipt_wait_s: int
    verify_wait_s: int
    reasons: tuple[str, ...]
    refused: tuple[str, ...]


def recommend(need: Need, offers: Iterable[Offer]) -> Recommendation | None:
    """Return what to set for a country, or None where no pool may serve it."""
    listed = sorted(offers, key=lambda offer: (offer.pool_country, offer.sender_type))
    allowed = sorted((each for each in listed if each.is_allowed), key=lambda offer: _key(offer, need))
    if not allowed:
        return None
    best = allowed[0]
    pools = tuple(dict.fromkeys(each.pool_country for each in allowed))
    senders = max(1, math.ceil(need.peak_parts_per_s / best.parts_per_s))
    return Recommendation(
        primary=best.pool_country,
        backups=pools[1 : 1 + BACKUPS],
        sender_type=best.sender_type,
        senders=senders,
        mode=Mode.BEST if need.priority is Priority.CONVERSION else Mode.ADAPTIVE,
        receipt_wait_s=_bounded(best.receipt_p95_s, RECEIPT_BOUNDS_S),
        verify_wait_s=_bounded(best.verify_p90_s, VERIFY_BOUNDS_S),
        reasons=_reasons(best, need, senders=senders, others=len(allowed) - 1),
        refused=tuple(f"{_name(each)}: {each.rule}" for each in listed if not each.is_allowed),
    )


def trusted_rate(offer: Offer) -> float:
    """Return the conversion rate that an offer can be trusted to have."""
    return lower_bound(offer.proved, confidence=CONFIDENCE, prior=_PRIOR)


def _key(offer: Offer, need: Need) -> tuple[float | bool | str, ...]:
    """Order by what matters most, then by the rest; a country's own pool goes first where all else is the same."""
    cost = offer.price_micros / trusted_rate(offer)
    slow_s = RECEIPT_BOUNDS_S[1] if offer.receipt_p95_s is None else offer.receipt_p95_s
    match need.priority:
        case Priority.COST:
            first, second = cost, slow_s
        case Priority.SPEED:
            first, second = slow_s, cost
        case Priority.CONVERSION:
            first, second = -trusted_rate(offer), cost
    return (first, second, offer.pool_country != need.country, offer.pool_country, offer.sender_type)


def _reasons(best: Offer, need: Need, *, senders: int, others: int) -> tuple[str, ...]:
    known = f"{best.proved.of:.0f} of {best.proved.total:.0f} messages proved"
    rate = f"trusted rate {trusted_rate(best):.0%}, {best.price_micros / 1e6:.4f} a message"
    peak = f"{need.peak_parts_per_s:.2f} parts a second at the peak, one sender carries {best.parts_per_s:g}"
    return (
        f"{_name(best)} is best by {need.priority} of {others + 1} that are allowed: {known}, {rate}",
        f"rule for {need.country}: {best.rule}",
        f"senders: {senders}, as {need.monthly_volume} messages a month are {peak}",
        "receipt wait: as learnt here" if best.receipt_p95_s is not None else "receipt wait: nothing learnt yet",
    )


def _name(offer: Offer) -> str:
    return f"{offer.sender_type} of pool {offer.pool_country}"


def _bounded(learnt_s: float | None, bounds: tuple[int, int]) -> int:
    return min(max(math.ceil(learnt_s if learnt_s is not None else bounds[1]), bounds[0]), bounds[1])
