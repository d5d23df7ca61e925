"""The workflow that a Schedule starts."""

from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.messages import VERIFICATION_QUEUE, UpkeepReport
from workflows.upkeep import UpkeepWorkflow


class FakeUpkeep:
    """Fails as often as it is told to, then reports."""

    def __init__(self, *, failures: int) -> None:
        self.runs = 0
        self._failures = failures

    @activity.defn
    async def mend(self) -> UpkeepReport:
        self.runs += 1
        if self.runs <= self._failures:
            raise RuntimeError("the database is away")
        return UpkeepReport(restarted=1, expired=2, forgotten=3)


async def upkeep(temporal: WorkflowEnvironment, fake: FakeUpkeep) -> UpkeepReport:
    worker = Worker(temporal.client, task_queue=VERIFICATION_QUEUE, workflows=[UpkeepWorkflow], activities=[fake.mend])
    async with worker:
        return await temporal.client.execute_workflow(
            UpkeepWorkflow.run, id="upkeep", task_queue=VERIFICATION_QUEUE, execution_timeout=timedelta(minutes=5)
        )


async def test_upkeep_reports_what_it_mended(temporal: WorkflowEnvironment) -> None:
    fake = FakeUpkeep(failures=1)

    report = await upkeep(temporal, fake)

    assert report == UpkeepReport(restarted=1, expired=2, forgotten=3)
    assert fake.runs == 2


async def test_upkeep_that_fails_is_left_to_the_next_turn_of_its_schedule(temporal: WorkflowEnvironment) -> None:
    fake = FakeUpkeep(failures=5)

    with pytest.raises(WorkflowFailureError):
        await upkeep(temporal, fake)

    assert fake.runs == 2
