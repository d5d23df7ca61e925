"""A dispatcher's workflow with a fake activity: woken as the product wakes it, replayed at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.webhooks import WebhookActivities
from domain.ids import new_id, webhook_id
from domain.messages import VERIFICATION_QUEUE, WEBHOOK_QUEUE, DispatchOrder, DispatchReport
from services.webhook_dispatchers import DispatcherWorkflows
from workflows.webhook_dispatch import WebhookDispatchWorkflow

IDLE_NOW, CLOSED = DispatchReport(next_s=None), DispatchReport(is_closed=True)
AT_ONCE = DispatchReport(next_s=0, delivered=200)


class FakeDispatch:
    """Answers from its script, in order, and after its end with the last word of it; an exception there is raised."""

    def __init__(self, reports: Iterable[DispatchReport | Exception]) -> None:
        self.orders: list[DispatchOrder] = []
        self._reports = list(reports)

    @activity.defn
    async def dispatch(self, order: DispatchOrder) -> DispatchReport:
        self.orders.append(order)
        word = self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]
        if isinstance(word, Exception):
            raise word
        return word


_dispatch: tuple[object, object] = (WebhookActivities.dispatch, FakeDispatch.dispatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """One dispatcher under way."""

    environment: WorkflowEnvironment
    endpoint: UUID
    handle: WorkflowHandle[WebhookDispatchWorkflow, None]

    async def result(self) -> None:
        """Wait for its end; time is skipped to get there, but nobody waits for ever."""
        service = self.environment.client.test_service
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            async with asyncio.timeout(60):
                await self.handle.result(follow_runs=True)
        finally:
            await service.lock_time_skipping(LockTimeSkippingRequest())

    async def wake(self) -> None:
        await self.handle.signal(WebhookDispatchWorkflow.woken)

    async def events(self) -> Sequence[HistoryEvent]:
        return (await self.handle.fetch_history()).events

    async def lasted_s(self) -> float:
        described = await self.handle.describe()
        assert described.close_time is not None
        return (described.close_time - described.start_time).total_seconds()


@asynccontextmanager
async def dispatching(environment: WorkflowEnvironment, fake: FakeDispatch) -> AsyncIterator[Dispatched]:
    """Wake a dispatcher as the product does, with the workers it needs; its history is replayed at the end."""
    endpoint, client = new_id(), environment.client
    workflows = Worker(client, task_queue=VERIFICATION_QUEUE, workflows=[WebhookDispatchWorkflow])
    posts = Worker(client, task_queue=WEBHOOK_QUEUE, activities=[fake.dispatch])
    async with workflows, posts:
        await DispatcherWorkflows(client).wake(endpoint)
        handle: WorkflowHandle[WebhookDispatchWorkflow, None] = client.get_workflow_handle(
            f"webhooks/{webhook_id(endpoint)}"
        )
        yield Dispatched(environment=environment, endpoint=endpoint, handle=handle)
        await Replayer(workflows=[WebhookDispatchWorkflow]).replay_workflow(await handle.fetch_history())
