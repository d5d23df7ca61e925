"""What the outside world tells a workflow while it works: bad receipts, requests to send again, ends."""

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.messages import Concluded, FailOverCause
from domain.statuses import SubmissionStatus, VerificationStatus
from tests.workflows.fakes import ACCEPTED, FakeActivities, send_next
from tests.workflows.running import an_attempt, running, until


async def test_a_bad_receipt_leads_to_the_next_route_at_once(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(receipt_wait_s=8), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[send_next(second)])

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the receipt")
        await verification.bad_receipt(first)
        await verification.awaits("the code")

    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, second.attempt_id]
    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(first.attempt_id, FailOverCause.BAD_RECEIPT)]


async def test_a_bad_receipt_of_an_attempt_that_was_left_changes_nothing(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(answers=[SubmissionStatus.UNKNOWN, ACCEPTED], steps=[send_next(second)])

    async with running(temporal, fakes, first=first, lifetime_s=60) as verification:
        await verification.awaits("the code")
        await verification.bad_receipt(first)
        await verification.bad_receipt(an_attempt())
        result = await verification.result()

    assert len(fakes.asked) == 1
    assert len(fakes.sent) == 2
    assert result.status is VerificationStatus.EXPIRED


async def test_a_bad_receipt_may_overtake_the_answer_to_the_submission(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(receipt_wait_s=8), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[send_next(second)])
    fakes.hold("send")

    async with running(temporal, fakes, first=first) as verification:
        await until(lambda: fakes.sent)
        await verification.bad_receipt(first)
        fakes.release("send")
        await verification.awaits("the code")

    assert [(each.attempt_id, each.cause) for each in fakes.asked] == [(first.attempt_id, FailOverCause.BAD_RECEIPT)]
    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, second.attempt_id]


async def test_a_bad_receipt_told_twice_leads_to_one_more_attempt(temporal: WorkflowEnvironment) -> None:
    first, second = an_attempt(receipt_wait_s=8), an_attempt(1, carrier="bravo")
    fakes = FakeActivities(steps=[send_next(second)])
    fakes.hold("plan_next")

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the receipt")
        await verification.bad_receipt(first)
        await until(lambda: fakes.asked)
        await verification.bad_receipt(first)
        fakes.release("plan_next")
        await verification.awaits("the code")

    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, second.attempt_id]


async def test_a_resend_sends_one_more_message_and_the_same_one_asked_for_twice_once(
    temporal: WorkflowEnvironment,
) -> None:
    first, more = an_attempt(), an_attempt(1, carrier="bravo")
    fakes = FakeActivities()

    async with running(temporal, fakes, first=first) as verification:
        await verification.awaits("the code")
        await verification.resend(more)
        await verification.resend(more)
        await verification.resend(first)
        await until(lambda: len(fakes.sent) == 2)
        await verification.awaits("the code")
        await verification.ended()
        result = await verification.result()

    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, more.attempt_id]
    assert (result.status, result.attempts) == (VerificationStatus.APPROVED, 2)


async def test_a_resend_while_a_message_is_being_sent_comes_after_it(temporal: WorkflowEnvironment) -> None:
    first, more = an_attempt(), an_attempt(1, carrier="bravo")
    fakes = FakeActivities()
    fakes.hold("send")

    async with running(temporal, fakes, first=first) as verification:
        await until(lambda: fakes.sent)
        await verification.resend(more)
        fakes.release("send")
        await until(lambda: len(fakes.sent) == 2)
        await verification.awaits("the code")

    assert [order.attempt_id for order in fakes.sent] == [first.attempt_id, more.attempt_id]
    assert not fakes.asked


async def test_a_resend_while_the_next_route_is_chosen_is_not_forgotten(temporal: WorkflowEnvironment) -> None:
    first, follower, more = an_attempt(), an_attempt(1, carrier="bravo"), an_attempt(2, carrier="charlie", region="na")
    fakes = FakeActivities(answers=[SubmissionStatus.REJECTED, ACCEPTED], steps=[send_next(follower)])
    fakes.hold("plan_next")

    async with running(temporal, fakes, first=first) as verification:
        await until(lambda: fakes.asked)
        await verification.resend(more)
        fakes.release("plan_next")
        await verification.awaits("the code")
        await until(lambda: len(fakes.sent) == 3)

    assert {order.attempt_id for order in fakes.sent} == {first.attempt_id, follower.attempt_id, more.attempt_id}


@pytest.mark.parametrize("status", [VerificationStatus.APPROVED, VerificationStatus.CANCELED])
@pytest.mark.parametrize("stage", ["send", "plan_next", "conclude", "wait"])
async def test_an_end_in_the_database_is_the_end_whatever_is_under_way(
    temporal: WorkflowEnvironment, status: VerificationStatus, stage: str
) -> None:
    fails = stage in {"plan_next", "conclude"}
    fakes = FakeActivities(
        answers=[SubmissionStatus.REJECTED if fails else ACCEPTED], conclusions=[Concluded(status=status)]
    )
    if stage != "wait":
        fakes.hold(stage)

    async with running(temporal, fakes) as verification:
        if stage == "wait":
            await verification.awaits("the code")
        else:
            await until(lambda: {"send": fakes.sent, "plan_next": fakes.asked, "conclude": fakes.concluded}[stage])
        await verification.ended(status)
        if stage != "wait":
            fakes.release(stage)
        result = await verification.result()

    assert result.status is status
    assert len(fakes.sent) == 1
    assert bool(fakes.concluded) is fails


async def test_the_first_word_about_the_end_stands(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities()
    fakes.hold("send")

    async with running(temporal, fakes) as verification:
        await until(lambda: fakes.sent)
        await verification.ended(VerificationStatus.CANCELED)
        await verification.ended(VerificationStatus.APPROVED)
        fakes.release("send")
        result = await verification.result()

    assert result.status is VerificationStatus.CANCELED
