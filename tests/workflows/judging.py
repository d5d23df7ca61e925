"""The workflow that judges pools, with a fake activity."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.pool_health import PoolHealthActivities
from domain.messages import VERIFICATION_QUEUE, PoolHealthReport
from workflows.pool_health import SCHEDULE_ID, PoolHealthWorkflow

DECIDED = PoolHealthReport(demoted=1, opened=2)


class FakeJudging:
    """Fails as often as it is told to, then reports."""

    def __init__(self, *, failures: int = 0) -> None:
        self.runs = 0
        self._failures = failures

    @activity.defn
    async def judge_pools(self) -> PoolHealthReport:
        self.runs += 1
        if self.runs <= self._failures:
            raise RuntimeError("the database is away")
        return DECIDED


_judging: tuple[object, object] = (PoolHealthActivities.judge_pools, FakeJudging.judge_pools)


def judging(environment: WorkflowEnvironment, fake: FakeJudging) -> Worker:
    """Return the worker that it needs."""
    return Worker(
        environment.client,
        task_queue=VERIFICATION_QUEUE,
        workflows=[PoolHealthWorkflow],
        activities=[fake.judge_pools],
    )


async def begin(environment: WorkflowEnvironment) -> WorkflowHandle[PoolHealthWorkflow, PoolHealthReport]:
    """Start it, as the Schedule does."""
    return await environment.client.start_workflow(
        PoolHealthWorkflow.run, id=SCHEDULE_ID, task_queue=VERIFICATION_QUEUE, execution_timeout=timedelta(minutes=5)
    )
