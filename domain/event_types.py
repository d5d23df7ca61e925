"""The types of events, as data: what each one means and which fields it carries, in one place.

The JSON schemas of the API reference, the filters of webhooks and the events themselves are all made from this. A field
that is added is no new version; one that goes or changes its meaning is. No field ever holds a number or a code: a
number appears masked, as `to`, which is kept beside the fields so that it can be erased.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from domain.routing import Use
from domain.statuses import (
    AttemptStatus,
    BlockRule,
    Channel,
    FailureClass,
    LiftedBy,
    Purpose,
    ReceiptStatus,
    VerificationStatus,
)

Fields: TypeAlias = Mapping[str, Mapping[str, Any]]


class EventType(StrEnum):
    """What happened: a subject and a verb in the past tense."""

    VERIFICATION_CREATED = "verification.created"
    VERIFICATION_APPROVED = "verification.approved"
    VERIFICATION_CANCELED = "verification.canceled"
    VERIFICATION_EXPIRED = "verification.expired"
    VERIFICATION_FAILED = "verification.failed"
    VERIFICATION_MAX_ATTEMPTS_REACHED = "verification.max_attempts_reached"
    ATTEMPT_SUBMITTED = "attempt.submitted"
    ATTEMPT_FAILED = "attempt.failed"
    ATTEMPT_DELIVERED = "attempt.delivered"
    ATTEMPT_UNDELIVERED = "attempt.undelivered"
    ATTEMPT_FAILED_OVER = "attempt.failed_over"
    CHECK_FAILED = "check.failed"
    LIMIT_REACHED = "limit.reached"
    ACCOUNT_STATUS_CHANGED = "account.status_changed"
    ACCOUNT_KEY_CREATED = "account.key_created"
    ACCOUNT_KEY_ROTATED = "account.key_rotated"
    ACCOUNT_KEY_REVOKED = "account.key_revoked"
    WEBHOOK_TEST = "webhook.test"
    WEBHOOK_DISABLED = "webhook.disabled"
    NUMBER_STATUS_CHANGED = "number.status_changed"
    NUMBER_LEASE_STARTED = "number.lease_started"
    NUMBER_LEASE_RENEWED = "number.lease_renewed"
    NUMBER_LEASE_ENDING = "number.lease_ending"
    ROUTE_POLICY_CHANGED = "route.policy_changed"
    ROUTE_DEMOTED = "route.demoted"
    ROUTE_RESTORED = "route.restored"
    POOL_UNSTABLE = "pool.unstable"
    POOL_RECOVERED = "pool.recovered"
    BLOCK_CREATED = "block.created"
    BLOCK_LIFTED = "block.lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One type: what it means, its fields as JSON schemas, the version of their meaning.

    `of_verification`: its events have a place in the sequence of one verification, and `to`.
    """

    about: str
    fields: Fields = field(default_factory=dict)
    of_verification: bool = False
    version: int = 1


def _one_of(words: type[StrEnum], *, or_null: bool = False) -> Mapping[str, Any]:
    listed = [word.value for word in words]
    return {"enum": [*listed, None]} if or_null else {"type": "string", "enum": listed}


_TEXT, _MAYBE_TEXT = {"type": "string"}, {"type": ["string", "null"]}
_COUNT, _MAYBE_COUNT = {"type": "integer", "minimum": 0}, {"type": ["integer", "null"], "minimum": 0}
_COUNTRY = {"type": "string", "pattern": "^[A-Z]{2}$"}
_CURRENCY = {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"}
_MOMENT = {"type": "string", "format": "date-time"}
_OF_VERIFICATION: Fields = {
    "country": _COUNTRY,
    "channel": _one_of(Channel),
    "purpose": _one_of(Purpose),
}
_OF_END: Fields = {
    **_OF_VERIFICATION,
    "status": _one_of(VerificationStatus),
    "reason": _MAYBE_TEXT,
    "checks": {**_COUNT, "description": "How many codes were compared."},
    "duration_ms": {**_COUNT, "description": "From the start to the end."},
    "cost_micros": {
        **_MAYBE_COUNT,
        "description": "What the messages cost that carriers took, or may have taken, in millionths of the currency; "
        "null where a price is not known, or where they were priced in several currencies.",
    },
    "currency": _CURRENCY,
}
_OF_ATTEMPT: Fields = {
    "country": _COUNTRY,
    "attempt_id": _TEXT,
    "attempt": {"type": "integer", "minimum": 1, "description": "1 for the first attempt."},
    "send": {"type": "integer", "minimum": 1, "description": "Which of the messages that were asked for."},
    "channel": _one_of(Channel),
    "carrier": _TEXT,
    "region": _TEXT,
    "pool_country": _COUNTRY,
    "price_micros": {
        **_MAYBE_COUNT,
        "description": "Of a message part on this route, in millionths of the currency; null where it has no price.",
    },
    "currency": _CURRENCY,
}
_OF_FAILURE: Fields = {"failure_class": _one_of(FailureClass, or_null=True), "carrier_code": _MAYBE_TEXT}
_LATENCY: Fields = {"latency_ms": {**_MAYBE_COUNT, "description": "Until the carrier answered."}}
_OF_RECEIPT: Fields = {
    **_OF_ATTEMPT,
    "receipt": _one_of(ReceiptStatus),
    "latency_ms": {**_MAYBE_COUNT, "description": "From handing the message over to the receipt."},
    **_OF_FAILURE,
}
_OF_KEY: Fields = {"key_id": _TEXT}
_OF_NUMBER: Fields = {"number_id": _TEXT, "pool_country": _COUNTRY, "carrier": _TEXT}
_OF_PERIOD: Fields = {
    "expires_at": _MOMENT,
    "period_days": {**_COUNT, "minimum": 1},
    "price_micros": {
        **_COUNT,
        "description": "What the period costs, in millionths of the currency; 0 where it was paid for with the number "
        "that this one replaces.",
    },
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}
_OF_ROUTE: Fields = {"route_id": _TEXT, "country": _COUNTRY, "carrier": _TEXT, "reason": _TEXT}
_OF_POOL: Fields = {"pool_country": _COUNTRY, "reason": _TEXT}
_OF_BLOCK: Fields = {
    "block_id": _TEXT,
    "rule": _one_of(BlockRule),
    "reason": _TEXT,
    "country": {**_COUNTRY, "type": ["string", "null"]},
    "to": {**_MAYBE_TEXT, "description": "The number, masked, where it is a number that is blocked."},
    "until": {**_MOMENT, "type": ["string", "null"], "description": "null: until somebody lifts it."},
}


def _end(about: str, **more: Mapping[str, Any]) -> EventKind:
    return EventKind(about=about, fields={**_OF_END, **more}, of_verification=True)


def _attempt(about: str, fields: Fields) -> EventKind:
    return EventKind(about=about, fields=fields, of_verification=True)


KINDS: Mapping[EventType, EventKind] = {
    EventType.VERIFICATION_CREATED: EventKind(
        about="A verification was started.", fields={**_OF_VERIFICATION, "expires_at": _MOMENT}, of_verification=True
    ),
    EventType.VERIFICATION_APPROVED: _end(
        "The right code was checked.",
        proved_attempt={**_MAYBE_COUNT, "description": "The attempt whose code was typed: the route that delivered."},
        carrier={**_MAYBE_TEXT, "description": "The carrier of that attempt."},
    ),
    EventType.VERIFICATION_CANCELED: _end("The account, or the instance on its behalf, canceled the verification."),
    EventType.VERIFICATION_EXPIRED: _end("The time was over before the right code was checked."),
    EventType.VERIFICATION_FAILED: _end("No route was left that could deliver a code, or the start was taken back."),
    EventType.VERIFICATION_MAX_ATTEMPTS_REACHED: _end("As many wrong codes as are allowed were checked."),
    EventType.ATTEMPT_SUBMITTED: _attempt("A carrier accepted a message.", {**_OF_ATTEMPT, **_LATENCY}),
    EventType.ATTEMPT_FAILED: _attempt(
        "A carrier refused a message, was throttling, or gave no answer.",
        {**_OF_ATTEMPT, "status": _one_of(AttemptStatus), **_LATENCY, **_OF_FAILURE},
    ),
    EventType.ATTEMPT_DELIVERED: _attempt("A carrier reported a message as delivered.", _OF_RECEIPT),
    EventType.ATTEMPT_UNDELIVERED: _attempt("A carrier reported that a message did not arrive.", _OF_RECEIPT),
    EventType.ATTEMPT_FAILED_OVER: _attempt(
        "Another route takes over; the fields are those of the new attempt.",
        {
            **_OF_ATTEMPT,
            "from_attempt": {"type": "integer", "minimum": 1},
            "from_carrier": _TEXT,
            "cause": _TEXT,
            "reason": _TEXT,
        },
    ),
    EventType.CHECK_FAILED: EventKind(
        about="A wrong code was checked.",
        fields={"country": _COUNTRY, "checks": _COUNT, "checks_left": _COUNT},
        of_verification=True,
    ),
    EventType.LIMIT_REACHED: EventKind(
        about="A limit refused a message or a check; told once per limit, number and hour.",
        fields={
            "limit": {**_TEXT, "description": "The problem code of the refusal."},
            "country": {**_COUNTRY, "type": ["string", "null"]},
            "to": {**_MAYBE_TEXT, "description": "The number, masked, where the limit is a number's."},
            "retry_after_s": _MAYBE_COUNT,
        },
    ),
    EventType.ACCOUNT_STATUS_CHANGED: EventKind(
        about="The account was warned, restricted, suspended, reinstated or closed.",
        fields={"status": _TEXT, "reason": _MAYBE_TEXT},
    ),
    EventType.ACCOUNT_KEY_CREATED: EventKind(about="An API key was made.", fields=_OF_KEY),
    EventType.ACCOUNT_KEY_ROTATED: EventKind(
        about="An API key got a successor.", fields={**_OF_KEY, "new_key_id": _TEXT}
    ),
    EventType.ACCOUNT_KEY_REVOKED: EventKind(
        about="An API key was revoked.", fields={**_OF_KEY, "reason": _MAYBE_TEXT}
    ),
    EventType.WEBHOOK_TEST: EventKind(about="You asked for a test delivery.", fields={"webhook_id": _TEXT}),
    EventType.WEBHOOK_DISABLED: EventKind(
        about="An endpoint is sent nothing any more, because it answered 410 or failed for five days.",
        fields={"webhook_id": _TEXT, "reason": _TEXT, "waiting": {**_COUNT, "description": "Events not delivered."}},
    ),
    EventType.NUMBER_STATUS_CHANGED: EventKind(
        about="A sender number moved on in its life.",
        fields={**_OF_NUMBER, "status": _TEXT, "previous_status": _MAYBE_TEXT, "reason": _MAYBE_TEXT},
    ),
    EventType.NUMBER_LEASE_STARTED: EventKind(
        about="The first period of a sender number's lease began.",
        fields={**_OF_NUMBER, **_OF_PERIOD, "use": _one_of(Use)},
    ),
    EventType.NUMBER_LEASE_RENEWED: EventKind(
        about="The lease of a sender number lasts one period more.",
        fields={**_OF_NUMBER, **_OF_PERIOD, "automatic": {"type": "boolean"}},
    ),
    EventType.NUMBER_LEASE_ENDING: EventKind(
        about="The lease of a sender number ends soon, and nothing will renew it.",
        fields={**_OF_NUMBER, "expires_at": _MOMENT, "days": {**_COUNT, "description": "How many are left, at most."}},
    ),
    EventType.ROUTE_POLICY_CHANGED: EventKind(
        about="The account set how its messages reach a country; `**` is everywhere else.",
        fields={"country": _TEXT, "allowed": {"type": "boolean"}, "primary_pool": _MAYBE_TEXT, "mode": _TEXT},
    ),
    EventType.ROUTE_DEMOTED: EventKind(about="A route gets probes only.", fields=_OF_ROUTE),
    EventType.ROUTE_RESTORED: EventKind(about="A route is used again.", fields=_OF_ROUTE),
    EventType.POOL_UNSTABLE: EventKind(about="A pool delivers worse than it did.", fields=_OF_POOL),
    EventType.POOL_RECOVERED: EventKind(about="A pool delivers again as it did.", fields=_OF_POOL),
    EventType.BLOCK_CREATED: EventKind(
        about="A number or the account was blocked: what sends to it, or sends at all, is refused.",
        fields={**_OF_BLOCK, "appeal": {**_TEXT, "description": "What can be done to have it lifted before."}},
    ),
    EventType.BLOCK_LIFTED: EventKind(
        about="A block has ended: its account or an operator lifted it, or its time is over.",
        fields={**_OF_BLOCK, "lifted_by": _one_of(LiftedBy)},
    ),
}
ALL_OF_A_KIND = ".*"
EVERYTHING = "*"


def types_matching(patterns: list[str]) -> tuple[list[EventType], list[str]]:
    """Return the types that any of some filters lets through, and the filters that name nothing.

    A filter is a type, all of one subject (`verification.*`), or everything (`*`).
    """
    found = [each for each in EventType if any(_lets_through(pattern, each) for pattern in patterns)]
    unknown = [each for each in patterns if not any(_lets_through(each, known) for known in EventType)]
    return found, unknown


def _lets_through(pattern: str, event_type: EventType) -> bool:
    if pattern.endswith(ALL_OF_A_KIND):
        return event_type.partition(".")[0] == pattern.removesuffix(ALL_OF_A_KIND)
    return pattern in {EVERYTHING, event_type.value}
