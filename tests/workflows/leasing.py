"""A number's workflow with a fake activity: woken as the product wakes it, replayed at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.numbers import NumberActivities
from domain.ids import number_id
from domain.messages import VERIFICATION_QUEUE, NumberOrder, NumberReport
from domain.routing import NumberFacts
from services.number_workflows import NumberLeaseWorkflows
from tests.unit.test_lease_life import a_number
from workflows.number_lease import NumberLeaseWorkflow

NOTHING_AHEAD = NumberReport(status="available in GB via alpha")


def report(done: str | None, ahead: str | None, *, in_s: float | None, status: str = "leased") -> NumberReport:
    return NumberReport(status=f"{status} in GB via alpha", done=done, next=ahead, next_s=in_s)


class FakeTending:
    """Answers from its script, in order, and after its end with the last word of it; an exception there is raised."""

    def __init__(self, reports: Iterable[NumberReport | Exception]) -> None:
        self.orders: list[NumberOrder] = []
        self._reports = list(reports)

    @activity.defn
    async def tend(self, order: NumberOrder) -> NumberReport:
        self.orders.append(order)
        word = self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]
        if isinstance(word, Exception):
            raise word
        return word


_tending: tuple[object, object] = (NumberActivities.tend, FakeTending.tend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """One number's workflow under way."""

    environment: WorkflowEnvironment
    number: NumberFacts
    handle: WorkflowHandle[NumberLeaseWorkflow, None]

    async def result(self) -> None:
        """Wait for its end; time is skipped to get there, but nobody waits for ever."""
        service = self.environment.client.test_service
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            async with asyncio.timeout(60):
                await self.handle.result(follow_runs=True)
        finally:
            await service.lock_time_skipping(LockTimeSkippingRequest())

    async def change(self) -> None:
        await self.handle.signal(NumberLeaseWorkflow.changed)

    async def details(self) -> str:
        """Return what the Temporal UI shows as the present state."""
        metadata = await self.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return cast("str", metadata.current_details)

    async def events(self) -> Sequence[HistoryEvent]:
        return (await self.handle.fetch_history()).events

    async def summaries(self) -> list[str]:
        """Return what the Temporal UI shows beside each activity and timer."""
        return [
            each.user_metadata.summary.data.decode().strip('"')
            for each in await self.events()
            if each.HasField("activity_task_scheduled_event_attributes")
            or each.HasField("timer_started_event_attributes")
        ]

    async def waits(self) -> None:
        """Wait until it has set a timer."""
        limit = time.monotonic() + 10
        while not any(each.HasField("timer_started_event_attributes") for each in await self.events()):
            assert time.monotonic() < limit, "it never set a timer"
            await asyncio.sleep(0.005)

    async def lasted_days(self) -> float:
        described = await self.handle.describe()
        assert described.close_time is not None
        return (described.close_time - described.start_time).total_seconds() / 86_400


@asynccontextmanager
async def leasing(environment: WorkflowEnvironment, fake: FakeTending) -> AsyncIterator[Leased]:
    """Wake a number's workflow as the product does, with the worker it needs; its history is replayed at the end."""
    client, number = environment.client, a_number()
    async with Worker(client, task_queue=VERIFICATION_QUEUE, workflows=[NumberLeaseWorkflow], activities=[fake.tend]):
        await NumberLeaseWorkflows(client).wake(number)
        handle: WorkflowHandle[NumberLeaseWorkflow, None] = client.get_workflow_handle(f"number/{number_id(number.id)}")
        yield Leased(environment=environment, number=number, handle=handle)
        await Replayer(workflows=[NumberLeaseWorkflow]).replay_workflow(await handle.fetch_history())
