"""A dispatcher's workflow: it comes back when it is due, wakes when it is told to, ends when nothing is left."""

import asyncio

from temporalio.testing import WorkflowEnvironment

from domain.messages import DispatchReport
from services.webhook_dispatchers import DispatcherWorkflows
from tests.workflows.dispatching import AT_ONCE, CLOSED, IDLE_NOW, FakeDispatch, dispatching
from tests.workflows.running import until
from workflows.webhook_dispatch import IDLE, ROUNDS


async def test_it_goes_on_while_there_is_more_and_ends_when_nothing_comes(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([AT_ONCE, AT_ONCE, IDLE_NOW])

    async with dispatching(temporal, fake) as dispatched:
        await dispatched.result()

    assert len(fake.orders) == 3
    assert IDLE.total_seconds() <= await dispatched.lasted_s() < IDLE.total_seconds() + 5


async def test_it_comes_back_when_the_next_try_is_due(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([DispatchReport(next_s=7_200.0, failed=1), CLOSED])

    async with dispatching(temporal, fake) as dispatched:
        await dispatched.result()

    assert len(fake.orders) == 2
    assert 7_200 <= await dispatched.lasted_s() < 7_210


async def test_it_wakes_before_the_next_try_when_something_happens(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([DispatchReport(next_s=7_200.0), CLOSED])

    async with dispatching(temporal, fake) as dispatched:
        await until(lambda: fake.orders)
        await dispatched.wake()
        await dispatched.result()

    assert await dispatched.lasted_s() < 60


async def test_a_closed_endpoint_ends_it_at_once(temporal: WorkflowEnvironment) -> None:
    async with dispatching(temporal, FakeDispatch([CLOSED])) as dispatched:
        await dispatched.result()

    assert await dispatched.lasted_s() < 5


async def test_a_database_that_is_away_is_waited_for(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([RuntimeError("away"), RuntimeError("away"), CLOSED])

    async with dispatching(temporal, fake) as dispatched:
        await dispatched.result()

    assert len(fake.orders) == 3


async def test_a_long_history_is_left_behind_and_nothing_with_it(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([*[AT_ONCE] * (ROUNDS + 1), CLOSED])

    async with dispatching(temporal, fake) as dispatched:
        await dispatched.result()

    assert len(fake.orders) == ROUNDS + 2


async def test_many_wakes_at_once_make_one_workflow(temporal: WorkflowEnvironment) -> None:
    fake = FakeDispatch([IDLE_NOW])

    async with dispatching(temporal, fake) as dispatched:
        await asyncio.gather(*(DispatcherWorkflows(temporal.client).wake(dispatched.endpoint) for _ in range(10)))
        await dispatched.result()

    started = [each.HasField("workflow_execution_started_event_attributes") for each in await dispatched.events()]
    assert sum(started) == 1
    assert len(fake.orders) <= 11
