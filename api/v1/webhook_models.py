"""What `/v1/webhooks` takes and gives."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.v1.models import PRINTABLE, Moment, StrictBody
from api.v1.moments import Instant
from domain import ids
from domain.errors import InvalidRequestError
from domain.ids import event_id, webhook_id
from domain.webhooks import DeliveryStatus, DeliveryView, TryView, WebhookStatus
from rules.webhooks.schedule import DisabledReason
from services.webhook_deliveries import DEFAULT_PAGE, MAX_PAGE, DeliveryPage, Replayed, ReplayRequest
from services.webhooks import WebhookRequest, WebhookView

# Longer than what is accepted, so that the refusal can say why.
_Url = Annotated[str, Field(max_length=8_192, examples=["https://hooks.example.com/countersign"])]
_Filters = Annotated[
    list[Annotated[str, Field(max_length=48)]],
    Field(min_length=1, max_length=50, examples=[["verification.*", "check.failed"]]),
]
_Description = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]


class NewWebhook(StrictBody):
    """Where to send what."""

    url: _Url
    events: _Filters = Field(default=["*"], description="Types, all of a subject (`verification.*`), or `*`.")
    description: _Description | None = None
    secret: str | None = Field(
        default=None, max_length=256, description="Your own `whsec_…`; one is made when it is left out."
    )
    ed25519: bool = Field(default=False, description="Sign with Ed25519 (`v1a`) too; the answer has the public key.")

    def to_request(self) -> WebhookRequest:
        """Return what the use case takes."""
        return WebhookRequest(
            url=self.url,
            events=tuple(self.events),
            description=self.description,
            secret=self.secret,
            with_ed25519=self.ed25519,
        )


class WebhookChange(StrictBody):
    """What to change; what is left out stays."""

    url: _Url | None = None
    events: _Filters | None = None
    description: _Description | None = None
    status: WebhookStatus | None = None

    def to_request(self) -> WebhookRequest:
        """Return what the use case takes."""
        return WebhookRequest(
            url=self.url,
            events=None if self.events is None else tuple(self.events),
            description=self.description,
            is_enabled=None if self.status is None else self.status is WebhookStatus.ENABLED,
        )


class SecretRotation(StrictBody):
    """Whether the secrets until now end at once, because one has leaked."""

    end_previous_now: bool = Field(default=False, description="Only the new secret signs, from now on.")


class WebhookOut(BaseModel):
    """An endpoint. `secret` is there once: when it was just made."""

    id: str
    url: str
    events: list[str]
    description: str | None
    status: WebhookStatus
    disabled_reason: DisabledReason | None
    public_key: str | None = Field(description="What `v1a` signatures are verified with: `whpk_…`.")
    secret: str | None = Field(description="`whsec_…`; shown once, null ever after.")
    previous_secret_until: Instant | None = Field(description="Until then the secret before this one signs too.")
    failing_since: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, view: WebhookView) -> "WebhookOut":
        """Return the model of an endpoint."""
        facts = view.facts
        until = facts.sealed.previous_until
        return cls.model_construct(
            id=webhook_id(facts.id),
            url=facts.url,
            events=list(facts.events),
            description=facts.description,
            status=facts.status,
            disabled_reason=None if facts.disabled_reason is None else DisabledReason(facts.disabled_reason),
            public_key=view.public_key,
            secret=view.secret,
            previous_secret_until=until if until is not None and until > facts.read_at else None,
            failing_since=facts.failing_since,
            created_at=facts.created_at,
        )


class WebhooksOut(BaseModel):
    """All endpoints, oldest first."""

    webhooks: list[WebhookOut]


class ReplayIn(StrictBody):
    """Which events to send again: one by `event_id`, or those of a time, as far as the filter lets them through."""

    event_id: str | None = Field(default=None, max_length=64)
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    events: _Filters | None = Field(default=None, description="Instead of the endpoint's own filter.")

    def to_request(self) -> ReplayRequest:
        """Return what the use case takes."""
        return ReplayRequest(
            event_id=None if self.event_id is None else event_uuid(self.event_id),
            since=self.since,
            until=self.until,
            events=None if self.events is None else tuple(self.events),
        )


class ReplayOut(BaseModel):
    """How many events go out again; when there were more than 10,000, `go_on_from` is the next request's `from`."""

    events: int
    go_on_from: Instant | None

    @classmethod
    def of(cls, replayed: Replayed) -> "ReplayOut":
        """Return the model of a replay."""
        return cls(events=replayed.events, go_on_from=replayed.go_on_from)


class TestOut(BaseModel):
    """The test's event; `deliveries` tells what came of it."""

    event_id: str


class TryOut(BaseModel):
    """One post: what was answered, or in a word why nothing was."""

    number: int
    tried_at: Instant
    status: int | None
    failure: str | None
    latency_ms: int
    answer: str = Field(description="The first kilobyte of the answer's body, or a sentence that says what happened.")

    @classmethod
    def of(cls, view: TryView) -> "TryOut":
        """Return the model of a try."""
        return cls.model_construct(
            number=view.number,
            tried_at=view.tried_at,
            status=view.status,
            failure=view.failure,
            latency_ms=view.latency_ms,
            answer=view.head,
        )


class DeliveryOut(BaseModel):
    """The delivery of one event to one endpoint."""

    event_id: str
    type: str
    status: DeliveryStatus
    created_at: Instant
    delivered_at: Instant | None
    next_try_at: Instant | None
    tries: list[TryOut]

    @classmethod
    def of(cls, view: DeliveryView) -> "DeliveryOut":
        """Return the model of a delivery."""
        return cls.model_construct(
            event_id=event_id(view.event_id),
            type=view.event_type,
            status=view.status,
            created_at=view.created_at,
            delivered_at=view.delivered_at,
            next_try_at=view.next_try_at,
            tries=[TryOut.of(each) for each in view.tries],
        )


class DeliveriesOut(BaseModel):
    """A page of deliveries, those of the newest events first."""

    deliveries: list[DeliveryOut]
    next_cursor: int | None

    @classmethod
    def of(cls, page: DeliveryPage) -> "DeliveriesOut":
        """Return the model of a page."""
        return cls.model_construct(
            deliveries=[DeliveryOut.of(each) for each in page.items], next_cursor=page.next_cursor
        )


class DeliveriesQuery(StrictBody):
    """Which deliveries."""

    status: DeliveryStatus | None = None
    event_id: str | None = Field(default=None, max_length=64)
    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1)


def event_uuid(text: str) -> UUID:
    """Return the id inside `evt_…`.

    Raises:
        InvalidRequestError: it is none.

    """
    parsed = ids.parse(text, prefix="evt")
    if parsed is None:
        raise InvalidRequestError("event_id: an id that begins with evt_, as an answer or a webhook gave it.")
    return parsed
