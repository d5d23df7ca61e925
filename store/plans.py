"""Between a chosen route, the attempt's row, and what the workflow is told of it."""

from dataclasses import dataclass
from uuid import UUID

from domain.facts import AttemptFacts
from domain.messages import PlannedAttempt
from domain.phone import mask
from rules.routing.candidates import Candidate
from rules.routing.failover import Choice, Tried
from store.attempts import AttemptPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A route that was chosen for a new attempt, and why, in the words of people and in those of the rules."""

    attempt_id: UUID
    choice: Choice
    candidate: Candidate
    explanation: str
    receipt_wait_s: int
    verify_wait_s: int
    is_resent: bool


def plan_of(routed: Routed, *, verification_id: UUID, sequence: int, send: int, after: UUID | None) -> AttemptPlan:
    """Return the row of an attempt on a chosen route."""
    route, candidate = routed.choice.route, routed.candidate
    return AttemptPlan(
        id=routed.attempt_id,
        verification_id=verification_id,
        sequence=sequence,
        send=send,
        follows=after,
        channel=route.channel,
        carrier=route.carrier,
        region=route.region,
        pool_country=route.pool_country,
        sender=route.sender,
        sender_type=route.sender_type,
        receipt_wait_s=routed.receipt_wait_s,
        reason=routed.choice.reason,
        number_id=candidate.number_id,
        fence=candidate.fence,
        price_micros=candidate.price_micros,
        currency=candidate.currency,
        explanation=routed.explanation,
        verify_wait_s=routed.verify_wait_s,
        is_resent=routed.is_resent,
    )


def tried_of(attempt: AttemptFacts) -> Tried:
    """Return what the choice of a route must know of an attempt."""
    return Tried(
        send=attempt.send,
        carrier=attempt.carrier,
        region=attempt.region,
        pool_country=attempt.pool_country,
        sender=attempt.sender,
        sender_type=attempt.sender_type,
        status=attempt.status,
        failure_class=attempt.failure_class,
        carrier_code=attempt.carrier_code,
    )


def announced(attempt: AttemptFacts | AttemptPlan) -> PlannedAttempt:
    """Return what the workflow is told of an attempt; a sender that is a number is masked."""
    is_number = attempt.sender.startswith("+")
    return PlannedAttempt(
        attempt_id=attempt.id,
        sequence=attempt.sequence,
        carrier=attempt.carrier,
        region=attempt.region,
        pool_country=attempt.pool_country,
        sender=mask(attempt.sender, country=attempt.pool_country) if is_number else attempt.sender,
        channel=attempt.channel,
        receipt_wait_s=attempt.receipt_wait_s,
        code_wait_s=attempt.verify_wait_s or 0 if attempt.is_resent else 0,
    )
