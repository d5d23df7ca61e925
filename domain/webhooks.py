"""The words of webhooks: an endpoint as stored, what it is to be sent, what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.events import Event, Position
from domain.statuses import Environment

# An account may have so many endpoints in one environment.
MOST_ENDPOINTS = 10
# A replaced secret signs beside the new one for so long.
BOTH_SECRETS_S = 86_400


class WebhookStatus(StrEnum):
    """Whether an endpoint is sent anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DeliveryStatus(StrEnum):
    """Where the delivery of one event to one endpoint stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecrets:
    """An endpoint's secrets as stored; the previous one counts until its time, Ed25519 where it was asked for."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None
    ed25519: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFacts:
    """One endpoint, as stored, with the database's time of reading it (`read_at`)."""

    id: UUID
    account_id: UUID
    environment: Environment
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str | None
    status: WebhookStatus
    disabled_reason: str | None
    created_at: datetime
    sealed: SealedSecrets
    cursor: Position
    failures: int
    failing_since: datetime | None
    probe_at: datetime | None
    quiet_until: datetime | None
    pace: int
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A delivery whose time has come, with its event."""

    event: Event
    tries: int
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What an endpoint is to be sent now; `next_s` says when there will be more, None that nothing waits."""

    endpoint: WebhookFacts
    due: Sequence[DueDelivery]
    is_more: bool
    next_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryFacts:
    """One post: a status, or a word for why there is none; `next_try_s` is None when it is the last one."""

    event_id: UUID
    number: int
    status: int | None
    failure: str | None
    latency_ms: int
    head: str
    is_delivered: bool
    tries: int
    next_try_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryView:
    """One post, as an account is shown it."""

    number: int
    tried_at: datetime
    status: int | None
    failure: str | None
    latency_ms: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """The delivery of one event to one endpoint, with every try."""

    event_id: UUID
    event_type: str
    number: int
    status: DeliveryStatus
    created_at: datetime
    delivered_at: datetime | None
    next_try_at: datetime | None
    tries: tuple[TryView, ...]
