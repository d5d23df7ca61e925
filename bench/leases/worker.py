"""A worker of the drill: sends its share of whatever is planned, until it is killed."""

import asyncio
import random
from uuid import UUID

from sqlalchemy import or_, select

from activities.conclusion import ConclusionActivities
from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from bench.leases.installation import CARRIERS, REGION, keys_of, router
from carriers.null import NullCarrier
from domain.messages import Conclusion, FailOverCause, FailOverRequest, NextStepKind, SendOrder
from domain.statuses import AttemptStatus, SubmissionStatus, VerificationStatus
from runtime.settings import reference
from runtime.setup import number_sealer
from services.lease_keeping import LeaseKeeper
from store.engine import Database
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now

_FAILURES_CAP = 10
_attempt, _verification = table_of(Attempt), table_of(Verification)
_follower = _attempt.alias("follower")
_IS_PENDING = (
    select(_verification.c.id)
    .where(
        _verification.c.id == _attempt.c.verification_id,
        _verification.c.status == fixed(VerificationStatus.PENDING),
    )
    .exists()
)
_PLANNED = (
    select(_attempt.c.id, _attempt.c.verification_id)
    .where(
        _attempt.c.status == fixed(AttemptStatus.PLANNED),
        or_(_attempt.c.waits_until.is_(None), _attempt.c.waits_until <= now()),
    )
    .limit(600)
)
# What a worker settled unsent and was killed before it planned again: Temporal would give it to another one.
_ORPHANED = (
    select(_attempt.c.id, _attempt.c.verification_id)
    .where(
        _attempt.c.status == fixed(AttemptStatus.REJECTED),
        _attempt.c.submitting_at.is_(None),
        _IS_PENDING,
        ~select(_follower.c.id).where(_follower.c.follows == _attempt.c.id).exists(),
    )
    .limit(20)
)


class Worker:
    """Sends, fails over what was not sent, and gives up what nothing can be done for, as the workflow would."""

    def __init__(self, database: Database, delivery: DeliveryActivities, *, share: int, of: int) -> None:
        self._database = database
        self._share, self._of = share, of
        self._delivery = delivery
        self._planning = PlanningActivities(database=database, router=router())
        self._conclusion = ConclusionActivities(database=database, failures_cap=_FAILURES_CAP)

    async def run(self) -> None:
        """Work without end."""
        while True:
            async with self._database.reading() as connection:
                rows = list((await connection.execute(_PLANNED)).all())
                orphans = list((await connection.execute(_ORPHANED)).all())
            own = [each for each in rows if self._is_own(each.id)]
            random.shuffle(own)
            for row in own[:20]:
                await self._send(row.verification_id, row.id)
            for row in orphans:
                if self._is_own(row.id):
                    await self._plan_again(row.verification_id, row.id)
            if not own:
                await asyncio.sleep(0.02)

    def _is_own(self, attempt_id: UUID) -> bool:
        """Say whether an attempt is this worker's: Temporal gives an activity to one at a time."""
        return attempt_id.int % self._of == self._share

    async def _send(self, verification_id: UUID, attempt_id: UUID) -> None:
        submission = await self._delivery.send(SendOrder(verification_id=verification_id, attempt_id=attempt_id))
        if not submission.wait_s and submission.status is not SubmissionStatus.ACCEPTED:
            await self._plan_again(verification_id, attempt_id)

    async def _plan_again(self, verification_id: UUID, attempt_id: UUID) -> None:
        cause = FailOverCause.SUBMISSION
        step = await self._planning.plan_next(
            FailOverRequest(verification_id=verification_id, attempt_id=attempt_id, cause=cause)
        )
        if step.kind is NextStepKind.FAIL:
            await self._conclusion.conclude(
                Conclusion(verification_id=verification_id, status=VerificationStatus.FAILED, reason=step.reason)
            )


def work(url: str, share: int, of: int) -> None:
    """Send until killed, and hold the region's leases meanwhile."""
    asyncio.run(_work(url, share, of))


async def _work(url: str, share: int, of: int) -> None:
    database = Database(url)
    keys = await keys_of(database)
    delivery = DeliveryActivities(
        database=database,
        carriers={name: NullCarrier(name) for name in CARRIERS},
        keys=keys,
        numbers=number_sealer(keys),
        templates=reference("templates.json"),
    )
    async with LeaseKeeper(database=database, regions=(REGION,)).running():
        await Worker(database, delivery, share=share, of=of).run()
