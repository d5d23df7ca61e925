"""Between a chosen route, the attempt's row, and what the workflow is told of it."""

from uuid import UUID

from domain.facts import AttemptFacts
from domain.ids import new_id
from domain.messages import PlannedAttempt
from domain.phone import mask
from rules.routing.failover import Choice, Tried
from store.attempts import AttemptPlan


def plan_of(choice: Choice, *, verification_id: UUID, sequence: int, send: int, after: UUID | None) -> AttemptPlan:
    """Return the row of an attempt on a chosen route."""
    route = choice.route
    return AttemptPlan(
        id=new_id(),
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
        receipt_wait_s=route.receipt_wait_s,
        reason=choice.reason,
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
    )
