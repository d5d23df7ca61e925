"""A message whose code does not come back, where the account wants another one to follow by itself."""

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.messages import FailOverCause, NextStep, NextStepKind
from domain.statuses import VerificationStatus
from tests.workflows.fakes import FakeActivities, send_next
from tests.workflows.running import an_attempt, running, until

NO_CODE, NO_RECEIPT = FailOverCause.NO_CODE, FailOverCause.NO_RECEIPT
NO_FURTHER = NextStep(kind=NextStepKind.WAIT, reason="no further route; a message may still have arrived")
DELIVERED = NextStep(kind=NextStepKind.WAIT, reason="alpha reported the message delivered")


async def test_the_next_route_is_taken_when_the_code_has_not_come_back(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(code_wait_s=25), an_attempt(1, carrier="bravo", code_wait_s=25)
    fakes = FakeActivities(steps=[send_next(second), NO_FURTHER])

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the code")
        await verification.passes(24)
        before = len(fakes.sent)
        await verification.passes(2)
        await until(lambda: len(fakes.sent) == 2)
        result = await verification.result()

    assert before == 1
    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, second.attempt_id]
    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [
        (first.attempt_id, NO_CODE),
        (second.attempt_id, NO_CODE),
    ]
    assert result.status is VerificationStatus.EXPIRED


async def test_a_code_that_comes_back_in_time_costs_what_it_always_did(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=8, code_wait_s=25)) as verification:
        await verification.awaits("the receipt")
        await verification.ended()
        await verification.result()
        events, actions = await verification.events(), await verification.actions()

    assert len(events) <= 17
    assert sum(actions.values()) == 4
    assert fakes.asked == []


async def test_a_receipt_that_was_found_does_not_shorten_the_wait_for_the_code(temporal: WorkflowEnvironment) -> None:
    second = an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[DELIVERED, send_next(second)])

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=8, code_wait_s=25)) as verification:
        await verification.awaits("the receipt")
        await verification.passes(9)
        await verification.awaits("the code")
        asked, sent = [each.cause for each in fakes.asked], len(fakes.sent)
        await verification.passes(17)
        await until(lambda: len(fakes.sent) == 2)

    assert (asked, sent) == ([NO_RECEIPT], 1)
    assert [each.cause for each in fakes.asked] == [NO_RECEIPT, NO_CODE]


async def test_receipt_and_code_that_are_due_at_once_are_asked_for_one_after_the_other(
    temporal: WorkflowEnvironment,
) -> None:
    fakes = FakeActivities(steps=[DELIVERED, NO_FURTHER])

    async with running(temporal, fakes, first=an_attempt(receipt_wait_s=25, code_wait_s=25)) as verification:
        result = await verification.result()

    assert [each.cause for each in fakes.asked] == [NO_RECEIPT, NO_CODE]
    assert result.status is VerificationStatus.EXPIRED


async def test_a_number_that_may_have_none_yet_is_asked_about_when_it_may(temporal: WorkflowEnvironment) -> None:
    second = an_attempt(1, carrier="bravo")
    not_yet = NextStep(kind=NextStepKind.WAIT, reason="no resend yet", again_s=10.0)
    fakes = FakeActivities(steps=[not_yet, send_next(second)])

    async with running(temporal, fakes, first=an_attempt(code_wait_s=20)) as verification:
        await verification.awaits("the code")
        await verification.passes(21)
        await until(lambda: fakes.asked)
        await verification.awaits("the code")
        before = len(fakes.sent)
        await verification.passes(10)
        await until(lambda: len(fakes.sent) == 2)

    assert before == 1
    assert [each.cause for each in fakes.asked] == [NO_CODE, NO_CODE]


@pytest.mark.parametrize("code_wait_s", [60, 61])
async def test_nothing_follows_where_the_verification_ends_first(
    temporal: WorkflowEnvironment, code_wait_s: int
) -> None:
    fakes = FakeActivities()

    async with running(temporal, fakes, first=an_attempt(code_wait_s=code_wait_s), lifetime_s=60) as verification:
        result = await verification.result()

    assert fakes.asked == []
    assert result.status is VerificationStatus.EXPIRED


async def test_a_resend_that_was_asked_for_begins_a_wait_of_its_own(temporal: WorkflowEnvironment) -> None:
    more = an_attempt(1, carrier="bravo", code_wait_s=25)
    fakes = FakeActivities(steps=[NO_FURTHER])

    async with running(temporal, fakes, first=an_attempt(code_wait_s=25)) as verification:
        await verification.awaits("the code")
        await verification.passes(20)
        await verification.resend(more)
        await until(lambda: len(fakes.sent) == 2)
        await verification.awaits("the code")
        await verification.passes(20)
        asked = list(fakes.asked)
        await verification.passes(6)
        await until(lambda: fakes.asked)

    assert asked == []
    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(more.attempt_id, NO_CODE)]
