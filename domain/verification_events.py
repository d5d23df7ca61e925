"""From the facts of a verification to the events that tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.event_types import EventType
from domain.events import NewEvent, Value
from domain.facts import AttemptFacts, Price, VerificationFacts
from domain.ids import attempt_id
from domain.messages import FailOverCause, PlannedAttempt
from domain.moments import moment
from domain.statuses import Channel, Environment, FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus

_ENDS = {
    VerificationStatus.APPROVED: EventType.VERIFICATION_APPROVED,
    VerificationStatus.CANCELED: EventType.VERIFICATION_CANCELED,
    VerificationStatus.EXPIRED: EventType.VERIFICATION_EXPIRED,
    VerificationStatus.FAILED: EventType.VERIFICATION_FAILED,
    VerificationStatus.MAX_ATTEMPTS_REACHED: EventType.VERIFICATION_MAX_ATTEMPTS_REACHED,
}
# A carrier that says it does not know has told nothing.
_RECEIPTS = {
    ReceiptStatus.DELIVERED: EventType.ATTEMPT_DELIVERED,
    ReceiptStatus.UNDELIVERED: EventType.ATTEMPT_UNDELIVERED,
    ReceiptStatus.EXPIRED: EventType.ATTEMPT_UNDELIVERED,
    ReceiptStatus.REJECTED: EventType.ATTEMPT_UNDELIVERED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptWords:
    """What an event says of an attempt, whatever happened to it."""

    verification_id: UUID
    account_id: UUID
    environment: Environment
    country: str
    attempt_id: UUID
    sequence: int
    send: int
    channel: Channel
    carrier: str
    region: str
    pool_country: str
    price: Price

    def fields(self) -> dict[str, Value]:
        """Return the fields that all events of attempts have."""
        return {
            "country": self.country,
            "attempt_id": attempt_id(self.attempt_id),
            "attempt": self.sequence + 1,
            "send": self.send,
            "channel": self.channel.value,
            "carrier": self.carrier,
            "region": self.region,
            "pool_country": self.pool_country,
            **_priced(self.price),
        }

    def event(self, event_type: EventType, data: Mapping[str, Value]) -> NewEvent:
        """Return an event of this attempt."""
        return NewEvent(
            type=event_type,
            account_id=self.account_id,
            environment=self.environment,
            verification_id=self.verification_id,
            data=data,
        )


def attempt_words(facts: VerificationFacts, attempt: AttemptFacts) -> AttemptWords:
    """Return what an event says of a stored attempt."""
    return AttemptWords(
        verification_id=facts.id,
        account_id=facts.account_id,
        environment=facts.environment,
        country=facts.country,
        attempt_id=attempt.id,
        sequence=attempt.sequence,
        send=attempt.send,
        channel=attempt.channel,
        carrier=attempt.carrier,
        region=attempt.region,
        pool_country=attempt.pool_country,
        price=Price(micros=attempt.price_micros, currency=attempt.currency),
    )


def created(facts: VerificationFacts, *, to: str) -> NewEvent:
    """Return the event of a start; `to` is the masked number, which the later ones take over from this one."""
    return _event(EventType.VERIFICATION_CREATED, facts, {**_about(facts), "expires_at": moment(facts.expires_at)}, to)


def ended(facts: VerificationFacts, cost: Price, *, proved: AttemptFacts | None = None) -> NewEvent:
    """Return the event of an end, as the database has it; `proved` is the attempt whose code was typed."""
    event_type = _ENDS[facts.status]
    data = {
        **_about(facts),
        "status": facts.status.value,
        "reason": facts.reason,
        "checks": facts.checks,
        "duration_ms": _between_ms(facts.created_at, facts.finished_at) or 0,
        "cost_micros": cost.micros,
        "currency": cost.currency,
    }
    if event_type is EventType.VERIFICATION_APPROVED:
        data |= {
            "proved_attempt": None if proved is None else proved.sequence + 1,
            "carrier": None if proved is None else proved.carrier,
        }
    return _event(event_type, facts, data)


def withdrawn(facts: VerificationFacts) -> NewEvent:
    """Return the event that takes a start back: nobody was there to send its message."""
    data = {
        **_about(facts),
        "status": VerificationStatus.FAILED.value,
        "reason": "not_started",
        "checks": 0,
        "duration_ms": _between_ms(facts.created_at, facts.read_at) or 0,
        "cost_micros": 0,
        "currency": None,
    }
    return _event(EventType.VERIFICATION_FAILED, facts, data)


def guess_failed(facts: VerificationFacts) -> NewEvent:
    """Return the event of a wrong code, which the facts count already."""
    data: dict[str, Value] = {
        "country": facts.country,
        "checks": facts.checks,
        "checks_left": facts.max_checks - facts.checks,
    }
    return _event(EventType.CHECK_FAILED, facts, data)


def answered(
    words: AttemptWords,
    *,
    status: SubmissionStatus,
    latency_ms: int | None,
    failure_class: FailureClass | None = None,
    carrier_code: str | None = None,
) -> NewEvent:
    """Return the event of a carrier's answer, or of its silence."""
    data = {**words.fields(), "latency_ms": latency_ms}
    if status is SubmissionStatus.ACCEPTED:
        return words.event(EventType.ATTEMPT_SUBMITTED, data)
    failure = _failure(failure_class, carrier_code)
    return words.event(EventType.ATTEMPT_FAILED, {**data, "status": status.value, **failure})


def abandoned(facts: VerificationFacts, attempt: AttemptFacts) -> NewEvent:
    """Return the event of an attempt that was settled because nobody will finish it."""
    failure = _failure(attempt.failure_class, attempt.carrier_code)
    words = attempt_words(facts, attempt)
    data = {**words.fields(), "latency_ms": None, "status": attempt.status.value, **failure}
    return words.event(EventType.ATTEMPT_FAILED, data)


def receipt_arrived(
    facts: VerificationFacts,
    attempt: AttemptFacts,
    *,
    status: ReceiptStatus,
    failure_class: FailureClass | None,
    carrier_code: str | None,
) -> NewEvent | None:
    """Return the event of a receipt; None for one that says nothing."""
    event_type = _RECEIPTS.get(status)
    if event_type is None:
        return None
    words = attempt_words(facts, attempt)
    data = {
        **words.fields(),
        "receipt": status.value,
        "latency_ms": _between_ms(attempt.submitting_at, facts.read_at),
        **_failure(failure_class, carrier_code),
    }
    return words.event(event_type, data)


def failed_over(
    facts: VerificationFacts,
    planned: PlannedAttempt,
    *,
    send: int,
    after: AttemptFacts,
    cause: FailOverCause,
    reason: str,
    price: Price,
) -> NewEvent:
    """Return the event of one route taking over from another."""
    data: dict[str, Value] = {
        "country": facts.country,
        "attempt_id": attempt_id(planned.attempt_id),
        "attempt": planned.sequence + 1,
        "send": send,
        "channel": planned.channel.value,
        "carrier": planned.carrier,
        "region": planned.region,
        "pool_country": planned.pool_country,
        **_priced(price),
        "from_attempt": after.sequence + 1,
        "from_carrier": after.carrier,
        "cause": cause.value,
        "reason": reason,
    }
    return _event(EventType.ATTEMPT_FAILED_OVER, facts, data)


def _event(event_type: EventType, facts: VerificationFacts, data: dict[str, Value], to: str | None = None) -> NewEvent:
    return NewEvent(
        type=event_type,
        account_id=facts.account_id,
        environment=facts.environment,
        verification_id=facts.id,
        data=data,
        to=to,
    )


def _about(facts: VerificationFacts) -> dict[str, Value]:
    return {
        "country": facts.country,
        "channel": facts.channel.value,
        "purpose": facts.purpose.value,
    }


def _priced(price: Price) -> dict[str, Value]:
    """Return a price as events tell it: a route that has no currency has none, whatever its row says."""
    return {"price_micros": None if price.currency is None else price.micros, "currency": price.currency}


def _failure(failure_class: FailureClass | None, carrier_code: str | None) -> dict[str, Value]:
    return {"failure_class": failure_class and failure_class.value, "carrier_code": carrier_code}


def _between_ms(first: datetime | None, last: datetime | None) -> int | None:
    if first is None or last is None:
        return None
    return max(0, round((last - first).total_seconds() * 1000))
