"""What a country could be served with, what is needed there, and what each offer is worth for it.

Pure. An offer is one kind of sender of one pool, with what this instance knows of its messages to the country.
"""

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from rules.routing.catalog import SenderType
from rules.routing.evidence import PRIOR_RATE
from rules.routing.health import ATTEMPTS_AT_LEAST, CONFIDENCE
from rules.routing.proportions import Share, lower_bound
from rules.routing.use_cases import DEMANDS, Demand, Priority, UseCase

# An hour of a busy day beside the month's average; what senders must be able to carry.
PEAK_FACTOR = 10
_MONTH_S = 30 * 86_400
# Before anything was sent a pool is believed to be ordinary, and not very much so.
_PRIOR = Share(16, 20)
_NOTHING = Share(0, 0)


class Known(StrEnum):
    """How much of a pool's messages to a country is known."""

    NOTHING = "nothing"
    LITTLE = "little"
    ENOUGH = "enough"


class Standing(IntEnum):
    """Which offers go before which, whatever else is said of them."""

    PROVEN = 0
    OWN = 1
    UNKNOWN = 2
    POOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one kind of sender of one pool would be towards the country: `senders` of them, on these carriers.

    `price_micros` is a part's, `monthly_micros` and `parts_per_s` are one sender's.
    """

    pool_country: str
    sender_type: SenderType
    price_micros: int
    parts_per_s: float
    is_allowed: bool
    rule: str
    monthly_micros: int = 0
    senders: int = 1
    carriers: frozenset[str] = frozenset()
    proved: Share = _NOTHING
    receipt_p95_s: float | None = None
    verify_p90_s: float | None = None

    @property
    def known(self) -> Known:
        """Return how much is known of its messages; under thirty a fall in conversion could not be told."""
        if self.proved.total < 1:
            return Known.NOTHING
        return Known.ENOUGH if self.proved.total >= ATTEMPTS_AT_LEAST else Known.LITTLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is asked for. A priority of None is the use case's own."""

    country: str
    monthly_volume: int
    use_case: UseCase = UseCase.CONFIRM_CONTACT
    priority: Priority | None = None

    @property
    def demand(self) -> Demand:
        """Return what the use case asks for."""
        return DEMANDS[self.use_case]

    @property
    def first(self) -> Priority:
        """Return what matters most."""
        return self.priority or self.demand.priority

    @property
    def peak_parts_per_s(self) -> float:
        """Return the parts in a second of the busiest hour."""
        return self.monthly_volume * self.demand.parts * PEAK_FACTOR / _MONTH_S


def trusted_rate(offer: Offer) -> float:
    """Return the conversion rate that an offer can be trusted to have."""
    return lower_bound(offer.proved, confidence=CONFIDENCE, prior=_PRIOR)


def senders_for(offer: Offer, need: Need) -> int:
    """Return how many senders of an offer carry the peak of the volume."""
    return max(1, math.ceil(need.peak_parts_per_s / offer.parts_per_s))


def cost_micros(offer: Offer, need: Need) -> float:
    """Return what a verified code is expected to cost: its messages, and its share of what the senders cost a month."""
    rent = senders_for(offer, need) * offer.monthly_micros / need.monthly_volume
    return (need.demand.parts * offer.price_micros + rent) / trusted_rate(offer)


def standing(offer: Offer, need: Need) -> Standing:
    """Return where an offer stands, by what is known of it."""
    if offer.known is Known.ENOUGH:
        # Under what is expected of a route that nobody has tried.
        return Standing.POOR if trusted_rate(offer) < PRIOR_RATE else Standing.PROVEN
    return Standing.OWN if offer.pool_country == need.country else Standing.UNKNOWN
