"""The words and facts of numbers and routes: what a number's state can be, what an account wants, what is lent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.statuses import Environment


class NumberState(StrEnum):
    """Where a number of ours stands."""

    RESERVED = "reserved"
    PROVISIONING = "provisioning"
    REGISTERING = "registering"
    AVAILABLE = "available"
    LEASED = "leased"
    DRAINING = "draining"
    QUARANTINED = "quarantined"
    SUSPENDED = "suspended"
    RELEASING = "releasing"
    AGING = "aging"
    RETIRED = "retired"


class Use(StrEnum):
    """What a number is leased for: for its account alone, or for everybody who sends through its country's pool."""

    DEDICATED = "dedicated"
    POOLED = "pooled"


class EndReason(StrEnum):
    """Why a lease ended."""

    RELEASED = "released"
    ROTATED = "rotated"
    EXPIRED = "expired"
    REFUSED_BY_CARRIER = "refused_by_carrier"
    TAKEN_AT_CARRIER = "taken_at_carrier"
    UNKNOWN_TO_CARRIER = "unknown_to_carrier"
    CARRIER_SILENT = "carrier_silent"


# Ends that an account brought about: too many of them look like collecting numbers.
COUNTED = frozenset({EndReason.RELEASED, EndReason.ROTATED, EndReason.EXPIRED})


class Mode(StrEnum):
    """How an account wants its routes ordered."""

    ORDERED = "ordered"
    ADAPTIVE = "adaptive"
    CHEAPEST = "cheapest"
    BEST = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFacts:
    """A sender of ours, as stored. `account_id` is who it is reserved for or lent to alone; None: its pool's.

    `due_at` is when its workflow has something to do, as far as is known; None: nothing. `silent_since` is since when
    its carrier has not answered what it was asked of the number; None: it has, or was asked nothing. `probing_since`:
    since when it is in service on trial, after a quarantine for its health.
    """

    id: UUID
    environment: Environment
    country: str
    sender: str
    sender_type: str
    carrier: str
    region: str
    capabilities: frozenset[str]
    price_micros: int
    monthly_micros: int
    currency: str
    state: NumberState
    state_reason: str | None
    state_until: datetime | None
    account_id: UUID | None
    relapses: int
    changed_at: datetime
    due_at: datetime | None = None
    silent_since: datetime | None = None
    probing_since: datetime | None = None

    @property
    def is_probing(self) -> bool:
        """Say whether it is in service on trial."""
        return self.probing_since is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingLease:
    """That a holder may send with a number until then, and the fence that proves it."""

    number_id: UUID
    holder: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFacts:
    """A number leased to an account, as stored. `warned_days`: how long before the end it was told of the end last."""

    id: UUID
    number_id: UUID
    account_id: UUID
    environment: Environment
    period_days: int
    price_micros: int
    currency: str
    is_renewed: bool
    started_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    use: Use = Use.DEDICATED
    warned_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberView:
    """A number as an account may see it: with the account's lease, where it has one. `is_own`: it may be changed."""

    number: NumberFacts
    lease: LeaseFacts | None
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicyFacts:
    """How an account's messages reach a country. A wait of None is the learnt one; a cap of None is none.

    `is_resent`: a message whose code has not come back after the wait is followed by one on the next route.
    `is_rotated`: a number that the account has alone, in one of these pools, is replaced when it is set aside for its
    health.
    """

    country: str
    is_allowed: bool
    primary_pool: str | None
    backups: tuple[str, ...] = ()
    mode: Mode = Mode.ADAPTIVE
    max_attempts: int = 3
    max_carriers: int = 2
    cost_cap_micros: int | None = None
    receipt_wait_s: int | None = None
    verify_wait_s: int | None = None
    is_resent: bool = False
    is_rotated: bool = False
