"""A number's workflow: it comes when something is due, wakes when something changed, ends when nothing is ahead."""

import asyncio

from temporalio.testing import WorkflowEnvironment

from services.number_workflows import NumberLeaseWorkflows
from tests.workflows.leasing import NOTHING_AHEAD, FakeTending, leasing, report
from tests.workflows.running import until
from workflows.number_lease import ROUNDS

_DAY_S = 86_400.0
_LIFE = (
    report("Its carrier has taken the order", "Ask its carrier", in_s=1.0, status="provisioning"),
    report("It is in service", "Warn its account 7 day(s) before its end", in_s=23 * _DAY_S),
    report("Its account was told", "Warn its account 1 day(s) before its end", in_s=6 * _DAY_S),
    report("Its account was told", "End the lease", in_s=_DAY_S),
    report("The lease is over", "Take it out of use", in_s=1_200.0, status="draining"),
    report("It rests", "Return it to its pool", in_s=90 * _DAY_S, status="aging"),
    NOTHING_AHEAD,
)


async def test_a_whole_life_is_lived_in_its_time_and_can_be_read(temporal: WorkflowEnvironment) -> None:
    fake = FakeTending(_LIFE)

    async with leasing(temporal, fake) as leased:
        await leased.result()

    assert len(fake.orders) == len(_LIFE)
    assert 120 <= await leased.lasted_days() < 120.1
    summaries = await leased.summaries()
    assert summaries[0] == "See what is due"
    assert "Next: Return it to its pool" in summaries
    assert summaries.count("Warn its account 7 day(s) before its end") == 1


async def test_what_it_waits_for_is_shown(temporal: WorkflowEnvironment) -> None:
    fake = FakeTending([report("It is in service", "Renew the lease", in_s=27 * _DAY_S)])

    async with leasing(temporal, fake) as leased:
        await leased.waits()
        told = await leased.details()

    assert told == "leased in GB via alpha. It is in service. Next: Renew the lease."


async def test_a_change_is_seen_at_once(temporal: WorkflowEnvironment) -> None:
    fake = FakeTending([report(None, "Renew the lease", in_s=27 * _DAY_S), NOTHING_AHEAD])

    async with leasing(temporal, fake) as leased:
        await until(lambda: fake.orders)
        await leased.change()
        await leased.result()

    assert len(fake.orders) >= 2
    assert await leased.lasted_days() < 1


async def test_a_database_that_is_away_is_waited_for(temporal: WorkflowEnvironment) -> None:
    fake = FakeTending([RuntimeError("away"), RuntimeError("away"), NOTHING_AHEAD])

    async with leasing(temporal, fake) as leased:
        await leased.result()

    assert len(fake.orders) >= 3


async def test_a_long_history_is_left_behind_and_nothing_with_it(temporal: WorkflowEnvironment) -> None:
    pending = report("Its carrier has taken the order", "Ask its carrier", in_s=1_800.0)
    fake = FakeTending([*[pending] * (ROUNDS + 1), NOTHING_AHEAD])

    async with leasing(temporal, fake) as leased:
        await leased.result()

    assert len(fake.orders) == ROUNDS + 2
    assert {each.number_id for each in fake.orders} == {leased.number.id}


async def test_many_wakes_at_once_make_one_workflow(temporal: WorkflowEnvironment) -> None:
    fake = FakeTending([NOTHING_AHEAD])

    async with leasing(temporal, fake) as leased:
        await asyncio.gather(*(NumberLeaseWorkflows(temporal.client).wake(leased.number) for _ in range(10)))
        await leased.result()

    assert 1 <= len(fake.orders) <= 11
