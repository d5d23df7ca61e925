"""Pools are judged by the clock, and at once where somebody has news."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from sys import executable

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    WorkflowFailureError,
)
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from domain.messages import VERIFICATION_QUEUE
from services.pool_judging import ScheduledJudges
from tests.workflows.judging import DECIDED, FakeJudging, begin, judging
from tests.workflows.running import until
from workflows.pool_health import SCHEDULE_ID, PoolHealthWorkflow

SERVER = Path(executable).with_name("temporal")


async def test_it_reports_what_was_decided_and_tries_once_more(temporal: WorkflowEnvironment) -> None:
    fake = FakeJudging(failures=1)

    async with judging(temporal, fake):
        handle = await begin(temporal)
        report = await handle.result()

    assert (report, fake.runs) == (DECIDED, 2)
    await Replayer(workflows=[PoolHealthWorkflow]).replay_workflow(await handle.fetch_history())


async def test_what_fails_is_left_to_the_next_turn(temporal: WorkflowEnvironment) -> None:
    fake = FakeJudging(failures=5)

    async with judging(temporal, fake):
        handle = await begin(temporal)
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    assert fake.runs == 2


@asynccontextmanager
async def scheduled() -> AsyncIterator[WorkflowEnvironment]:
    """Yield a server with a Schedule whose own time is a month away: what runs was asked for."""
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(SERVER)) as environment:
        action = ScheduleActionStartWorkflow(PoolHealthWorkflow.run, id=SCHEDULE_ID, task_queue=VERIFICATION_QUEUE)
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=30))])
        await environment.client.create_schedule(SCHEDULE_ID, Schedule(action=action, spec=spec))
        yield environment


async def test_news_is_judged_at_once_and_many_askers_make_few_judgements() -> None:
    fake = FakeJudging()

    async with (
        scheduled() as environment,
        judging(environment, fake),
        aclosing(ScheduledJudges(environment.client)) as a,
    ):
        a.ask()
        await until(lambda: fake.runs == 1)
        for _ in range(100):
            a.ask()
        await until(lambda: fake.runs == 2)
        a.ask()
        await until(lambda: fake.runs == 3)


async def test_where_there_is_no_schedule_or_no_temporal_asking_does_no_harm() -> None:
    nobody = await Client.connect("127.0.0.1:1", lazy=True)

    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(SERVER)) as environment:
        for client in (environment.client, nobody):
            judges = ScheduledJudges(client)
            judges.ask()
            (asking,) = [each for each in asyncio.all_tasks() if "judgement" in each.get_name()]
            await asking
            await judges.aclose()
