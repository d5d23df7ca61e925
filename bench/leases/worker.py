"""`python -m bench.leases.worker URL`: sends whatever is planned, until it is killed."""

import asyncio
import random
import sys

from sqlalchemy import or_, select

from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from bench.leases.installation import CARRIERS, REGION, keys_of, router
from carriers.null import NullCarrier
from domain.messages import FailOverCause, FailOverRequest, SendOrder
from domain.statuses import AttemptStatus, SubmissionStatus
from runtime.settings import reference
from runtime.setup import number_sealer
from services.lease_keeping import LeaseKeeper
from store.engine import Database
from store.tables import Attempt, table_of
from store.times import fixed, now

_attempt = table_of(Attempt)
_PLANNED = (
    select(_attempt.c.id, _attempt.c.verification_id)
    .where(
        _attempt.c.status == fixed(AttemptStatus.PLANNED),
        or_(_attempt.c.waits_until.is_(None), _attempt.c.waits_until <= now()),
    )
    .limit(200)
)


async def work(url: str) -> None:
    """Send, and fail over what was not sent, as the workflow would."""
    database = Database(url)
    keys = await keys_of(database)
    delivery = DeliveryActivities(
        database=database,
        carriers={name: NullCarrier(name) for name in CARRIERS},
        keys=keys,
        numbers=number_sealer(keys),
        templates=reference("templates.json"),
    )
    planning = PlanningActivities(database=database, router=router())
    async with LeaseKeeper(database=database, regions=(REGION,)).running():
        while True:
            async with database.reading() as connection:
                rows = list((await connection.execute(_PLANNED)).all())
            random.shuffle(rows)
            for row in rows[:20]:
                order = SendOrder(verification_id=row.verification_id, attempt_id=row.id)
                submission = await delivery.send(order)
                if not submission.wait_s and submission.status is not SubmissionStatus.ACCEPTED:
                    cause = FailOverCause.SUBMISSION
                    request = FailOverRequest(verification_id=row.verification_id, attempt_id=row.id, cause=cause)
                    await planning.plan_next(request)
            if not rows:
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
