"""Choosing what comes next after an attempt that did not do, and giving the next attempt its row."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.resending import take_own_send
from domain.events import NewEvent
from domain.facts import AttemptFacts, Price, VerificationFacts
from domain.messages import FailOverCause, FailOverRequest, NextStep, NextStepKind, PlannedAttempt
from domain.statuses import VerificationStatus
from domain.verification_events import abandoned, failed_over
from rules.routing.failover import REGION_SILENT_CODE, Wait
from store.attempts import attempts_of, follower_of, plan_attempt
from store.engine import Database
from store.events import emit
from store.guards import give_back_send
from store.plans import Routed, announced, plan_of
from store.router import Router
from store.submissions import settle_unsent
from store.verifications import hold_verification, number_of, take_counter

_FINISHED = NextStep(kind=NextStepKind.FINISH, reason="the verification is finished")


class PlanningActivities:
    """Plan the next attempt, once for each that it follows."""

    def __init__(self, *, database: Database, router: Router) -> None:
        self._database = database
        self._router = router

    @activity.defn
    async def plan_next(self, request: FailOverRequest) -> NextStep:
        """Say what to do after an attempt that did not do; asked again, say the same again."""
        async with self._database.transaction() as connection:
            verification = await hold_verification(connection, request.verification_id)
            if verification is None or verification.status is not VerificationStatus.PENDING:
                return _FINISHED
            follower = await follower_of(connection, request.attempt_id)
            if follower is not None:
                return _send(announced(follower), follower.reason)
            code = REGION_SILENT_CODE if request.cause is FailOverCause.REGION_SILENT else "abandoned"
            was_unsent = await settle_unsent(connection, request.attempt_id, code=code)
            attempts = _with_last(await attempts_of(connection, request.verification_id), request.attempt_id)
            step, events = await self._decide(connection, verification, attempts, _cause(request.cause, attempts[-1]))
            await emit(connection, *([abandoned(verification, attempts[-1])] if was_unsent else []), *events)
            return step

    async def _decide(
        self,
        connection: AsyncConnection,
        verification: VerificationFacts,
        attempts: list[AttemptFacts],
        cause: FailOverCause,
    ) -> tuple[NextStep, Sequence[NewEvent]]:
        """Return what to do, with what there is to tell of it."""
        taken = await take_own_send(connection, verification) if cause is FailOverCause.NO_CODE else None
        if isinstance(taken, NextStep):
            return taken, ()
        found = await self._router.follow(connection, verification, attempts, cause=cause)
        if isinstance(found, Routed):
            step, events = await _plan(connection, verification, found, after=attempts[-1], cause=cause)
        else:
            kind, events = NextStepKind.WAIT if isinstance(found, Wait) else NextStepKind.FAIL, ()
            step = NextStep(kind=kind, reason=found.reason)
        if taken is not None and step.kind is not NextStepKind.SEND:
            await give_back_send(connection, number_of(verification), taken=taken.sends)
        return step, events


async def _plan(
    connection: AsyncConnection,
    verification: VerificationFacts,
    routed: Routed,
    *,
    after: AttemptFacts,
    cause: FailOverCause,
) -> tuple[NextStep, Sequence[NewEvent]]:
    counter = await take_counter(connection, verification.id)
    if counter is None:
        return _FINISHED, ()
    reason = routed.choice.reason
    plan = plan_of(routed, verification_id=verification.id, sequence=counter, send=after.send, after=after.id)
    await plan_attempt(connection, plan)
    planned = announced(plan)
    price = Price(micros=plan.price_micros, currency=plan.currency)
    event = failed_over(verification, planned, send=plan.send, after=after, cause=cause, reason=reason, price=price)
    return _send(planned, reason), (event,)


def _with_last(attempts: list[AttemptFacts], attempt_id: UUID) -> list[AttemptFacts]:
    """Return the attempts with the one that did not do at the end; a resend may have been planned after it."""
    return sorted(attempts, key=lambda each: each.id == attempt_id)


def _cause(seen: FailOverCause, attempt: AttemptFacts) -> FailOverCause:
    """Return the cause as the database knows it: an attempt that was begun had a worker, whatever became of it."""
    was_begun = attempt.submitting_at is not None
    return FailOverCause.SUBMISSION if was_begun and seen is FailOverCause.REGION_SILENT else seen


def _send(attempt: PlannedAttempt, reason: str) -> NextStep:
    return NextStep(kind=NextStepKind.SEND, reason=reason, attempt=attempt)
