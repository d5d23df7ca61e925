"""The usual way of a verification, what it costs, and what becomes of routes that did not do."""

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.errors import DatabaseUnavailableError
from domain.messages import FailOverCause, NextStep, NextStepKind
from domain.statuses import SubmissionStatus, VerificationStatus
from tests.workflows.fakes import ACCEPTED, NO_ROUTE_LEFT, FakeActivities, send_next
from tests.workflows.running import an_attempt, running, until

REJECTED = SubmissionStatus.REJECTED
WAIT = NextStep(kind=NextStepKind.WAIT, reason="alpha reported the message delivered")


@pytest.mark.parametrize("receipt_wait_s", [0, 8])
async def test_the_usual_way_is_17_events_and_4_billable_actions(
    temporal: WorkflowEnvironment, receipt_wait_s: int
) -> None:
    fakes = FakeActivities()

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=receipt_wait_s)) as verification:
        await verification.awaits("the receipt" if receipt_wait_s else "the code")
        await verification.ended()
        result = await verification.result()
        events, actions = await verification.events(), await verification.actions()

    assert (result.status, result.reason, result.attempts) == (VerificationStatus.APPROVED, "as_told", 1)
    assert len(events) <= 17
    assert actions == {
        "WORKFLOW_EXECUTION_STARTED": 1,
        "ACTIVITY_TASK_SCHEDULED": 1,
        "TIMER_STARTED": 1,
        "WORKFLOW_EXECUTION_SIGNALED": 1,
    }
    assert not fakes.concluded


@pytest.mark.parametrize("answer", [REJECTED, SubmissionStatus.THROTTLED, SubmissionStatus.UNKNOWN])
async def test_a_message_that_was_not_taken_leads_to_the_next_route_at_once(
    temporal: WorkflowEnvironment, answer: SubmissionStatus
) -> None:
    first, second = an_attempt(), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(answers=[answer, ACCEPTED], steps=[send_next(second)])

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the code")
        await verification.ended()
        result = await verification.result()
        actions = await verification.actions()

    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, second.attempt_id]
    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(first.attempt_id, FailOverCause.SUBMISSION)]
    assert result.attempts == 2
    assert actions["TIMER_STARTED"] == 1


async def test_every_route_is_tried_before_the_end(temporal: WorkflowEnvironment) -> None:
    attempts = [an_attempt(n, carrier=carrier) for n, carrier in enumerate(["alpha", "bravo", "charlie", "delta"])]
    fakes = FakeActivities(answers=[REJECTED], steps=[*map(send_next, attempts[1:]), NO_ROUTE_LEFT])

    async with running(temporal, fakes, first=attempts[0]) as verification:
        result = await verification.result()

    assert [order.attempt_id for order in fakes.sent] == [each.attempt_id for each in attempts]
    assert [each.attempt_id for each in fakes.asked] == [each.attempt_id for each in attempts]
    assert (result.status, result.reason) == (VerificationStatus.FAILED, "no_route_left")
    assert [(each.status, each.reason) for each in fakes.concluded] == [(VerificationStatus.FAILED, "no_route_left")]


async def test_a_missing_receipt_leads_to_the_next_route_after_the_routes_wait(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(receipt_wait_s=8), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[send_next(second)])

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the receipt")
        await verification.passes(7)
        before = len(fakes.sent)
        await verification.passes(2)
        await until(lambda: len(fakes.sent) == 2)

    assert before == 1
    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(first.attempt_id, FailOverCause.NO_RECEIPT)]


async def test_a_route_without_receipts_is_not_waited_for(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=0), lifetime_s=60) as verification:
        result = await verification.result()

    assert not fakes.asked
    assert result.status is VerificationStatus.EXPIRED


async def test_a_good_receipt_that_is_found_lets_the_code_be_awaited(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(steps=[WAIT])

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=8)) as verification:
        await verification.awaits("the receipt")
        await verification.passes(9)
        await verification.awaits("the code")
        await verification.ended()
        result = await verification.result()

    assert [each.cause for each in fakes.asked] == [FailOverCause.NO_RECEIPT]
    assert len(fakes.sent) == 1
    assert result.status is VerificationStatus.APPROVED


async def test_a_region_without_workers_is_failed_over_after_three_seconds(temporal: WorkflowEnvironment) -> None:
    far, near = an_attempt(carrier="far", region="apac"), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[send_next(near)])

    async with running(temporal, fakes, first=far) as verification:
        started = await temporal.get_current_time()
        await verification.passes(3.5)
        await until(lambda: fakes.sent)
        waited = await temporal.get_current_time() - started

    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(far.attempt_id, FailOverCause.REGION_SILENT)]
    assert [order.attempt_id for order in fakes.sent] == [near.attempt_id]
    assert waited.total_seconds() < 5


async def test_a_database_that_is_away_for_a_moment_costs_nothing_but_time(temporal: WorkflowEnvironment) -> None:
    away = DatabaseUnavailableError("The database does not answer; try again.", retry_after_s=1)
    second = an_attempt(1, carrier="bravo")
    fakes = FakeActivities(
        answers=[away, away, REJECTED, away, ACCEPTED], steps=[away, send_next(second)], conclusions=[away, away, None]
    )

    async with running(temporal, fakes, lifetime_s=60) as verification:
        result = await verification.result()

    assert (len(fakes.sent), len(fakes.asked), len(fakes.concluded)) == (5, 2, 3)
    assert (result.status, result.attempts) == (VerificationStatus.EXPIRED, 2)


async def test_a_carrier_that_never_answers_is_left_for_the_next_route(temporal: WorkflowEnvironment) -> None:
    """The activity's own time is over: what its worker made of it is the database's to say."""
    second = an_attempt(1, carrier="bravo")
    fakes = FakeActivities(answers=[RuntimeError("the adapter is broken")], steps=[send_next(second), NO_ROUTE_LEFT])

    async with running(temporal, fakes, lifetime_s=30) as verification:
        result = await verification.result()

    assert {each.cause for each in fakes.asked} == {FailOverCause.SUBMISSION}
    assert result.status is VerificationStatus.FAILED


async def test_a_sender_s_turn_is_waited_for_and_the_message_is_sent_once(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(answers=(0.2, 0.1, ACCEPTED))

    async with running(temporal, fakes) as verification:
        await verification.awaits("the code")
        await verification.ended()
        result = await verification.result()

    assert result.status is VerificationStatus.APPROVED
    assert [each.attempt_id for each in fakes.sent] == [verification.start.first.attempt_id] * 3
    assert fakes.asked == []


async def test_a_turn_that_does_not_come_before_the_end_is_not_taken(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(answers=(500.0,), steps=(NextStep(kind=NextStepKind.FINISH, reason="finished"),))

    async with running(temporal, fakes, lifetime_s=300) as verification:
        result = await verification.result()

    assert result.status is VerificationStatus.EXPIRED
    assert len(fakes.sent) == 1
