"""A verification's workflow with fake activities: started as the product starts it, watched, replayed at the end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from domain.ids import new_id, verification_id
from domain.messages import (
    VERIFICATION_QUEUE,
    BadReceipt,
    PlannedAttempt,
    StartVerification,
    VerificationEnded,
    VerificationResult,
    carrier_queue,
)
from domain.statuses import VerificationStatus
from runtime.sandbox import QuickSandbox
from services.workflow_gateway import VerificationWorkflows
from tests.workflows.fakes import FakeActivities
from workflows.verification import VerificationWorkflow

# What Temporal bills, of the events that a verification may have.
_ACTIONS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_MARKER_RECORDED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    }
)
# Real seconds, for what takes milliseconds.
_PATIENCE_S = 10
Handle = WorkflowHandle[VerificationWorkflow, VerificationResult]


def an_attempt(
    sequence: int = 0,
    *,
    carrier: str = "alpha",
    region: str = "eu",
    receipt_wait_s: int = 0,
    code_wait_s: int = 0,
) -> PlannedAttempt:
    return PlannedAttempt(
        attempt_id=new_id(),
        sequence=sequence,
        carrier=carrier,
        region=region,
        pool_country="GB",
        sender="ACME",
        receipt_wait_s=receipt_wait_s,
        code_wait_s=code_wait_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One verification under way."""

    environment: WorkflowEnvironment
    start: StartVerification
    handle: Handle

    async def result(self) -> VerificationResult:
        """Return how it ends; time is skipped to get there, but nobody waits for ever."""
        service = self.environment.client.test_service
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            async with asyncio.timeout(20):
                return await self.handle.result()
        finally:
            await service.lock_time_skipping(LockTimeSkippingRequest())

    async def passes(self, seconds: float) -> None:
        await self.environment.sleep(timedelta(seconds=seconds))

    async def bad_receipt(self, attempt: PlannedAttempt) -> None:
        await self.handle.signal(VerificationWorkflow.receipt_was_bad, BadReceipt(attempt_id=attempt.attempt_id))

    async def resend(self, attempt: PlannedAttempt) -> None:
        await self.handle.signal(VerificationWorkflow.resend_asked, attempt)

    async def ended(self, status: VerificationStatus = VerificationStatus.APPROVED) -> None:
        await self.handle.signal(VerificationWorkflow.ended, VerificationEnded(status=status, reason="as_told"))

    async def details(self) -> str:
        """Return what the Temporal UI shows as the present state."""
        metadata = await self.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return cast("str", metadata.current_details)

    async def awaits(self, what: str) -> None:
        """Wait until the workflow has set a timer for something; a query would cost an event on this server."""
        limit = time.monotonic() + _PATIENCE_S
        while f"{what} is awaited" not in _timer(await self.events()):
            assert time.monotonic() < limit, f"{what} was never awaited"
            await asyncio.sleep(0.005)

    async def has_sent(self, messages: int) -> None:
        """Wait until so many messages were submitted."""
        limit = time.monotonic() + _PATIENCE_S
        while (await self.actions())["ACTIVITY_TASK_SCHEDULED"] < messages:
            assert time.monotonic() < limit, f"{messages} messages were never sent"
            await asyncio.sleep(0.005)

    async def events(self) -> Sequence[HistoryEvent]:
        return (await self.handle.fetch_history()).events

    async def lasted_s(self) -> float:
        """Return how long it took, by its own clock."""
        described = await self.handle.describe()
        assert described.close_time is not None
        return (described.close_time - described.start_time).total_seconds()

    async def actions(self) -> Counter[str]:
        """Return what Temporal bills for, by the kind of event."""
        kinds = [each.event_type for each in await self.events()]
        return Counter(EventType.Name(each).removeprefix("EVENT_TYPE_") for each in kinds if each in _ACTIONS)


@asynccontextmanager
async def running(
    environment: WorkflowEnvironment,
    fakes: FakeActivities,
    *,
    first: PlannedAttempt | None = None,
    lifetime_s: int = 300,
    regions: Sequence[str] = ("eu", "na"),
) -> AsyncIterator[Running]:
    """Start a verification and the workers it needs; when the block ends, what it has recorded is replayed."""
    client = environment.client
    start = StartVerification(
        verification_id=new_id(), country="GB", lifetime_s=lifetime_s, first=first or an_attempt()
    )
    async with AsyncExitStack() as stack:
        for each in workers(client, fakes, regions=regions):
            await stack.enter_async_context(each)
        await VerificationWorkflows(client).start(start, account_id=new_id())
        handle: Handle = client.get_workflow_handle(
            f"verification/{verification_id(start.verification_id)}", result_type=VerificationResult
        )
        yield Running(environment=environment, start=start, handle=handle)
        replayer = Replayer(
            workflows=[VerificationWorkflow], namespace=client.namespace, data_converter=client.data_converter
        )
        await replayer.replay_workflow(await handle.fetch_history())


def workers(client: Client, fakes: FakeActivities, *, regions: Sequence[str]) -> list[Worker]:
    """Return one worker for the workflows and one for each region, as a product's processes have them."""
    shutdown = timedelta(seconds=1)
    workflows = Worker(
        client,
        task_queue=VERIFICATION_QUEUE,
        workflows=[VerificationWorkflow],
        activities=[fakes.plan_next, fakes.conclude],
        workflow_runner=QuickSandbox(),
        graceful_shutdown_timeout=shutdown,
    )
    carriers = [
        Worker(
            client,
            task_queue=carrier_queue(region),
            activities=[fakes.send],
            graceful_shutdown_timeout=shutdown,
        )
        for region in regions
    ]
    return [workflows, *carriers]


def _timer(events: Iterable[HistoryEvent]) -> str:
    """Return what the timer that runs is for; nothing when none does."""
    running: dict[int, str] = {}
    for each in events:
        if each.HasField("timer_started_event_attributes"):
            running[each.event_id] = each.user_metadata.summary.data.decode()
        for over in (each.timer_fired_event_attributes, each.timer_canceled_event_attributes):
            running.pop(over.started_event_id, None)
    return next(iter(running.values()), "")


async def until(condition: Callable[[], object], *, within_s: float = _PATIENCE_S) -> None:
    """Wait, in real time, until a condition holds."""
    limit = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        await asyncio.sleep(0.005)
