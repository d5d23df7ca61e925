"""Sending: the carrier is asked at most once per attempt, and what it said is kept."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from carriers.protocol import Answer, Message
from domain.facts import AttemptFacts
from domain.ids import new_id
from domain.messages import SendOrder, Submission
from domain.statuses import (
    AttemptStatus,
    Environment,
    FailureClass,
    ReceiptStatus,
    SubmissionStatus,
    VerificationStatus,
)
from store.engine import Database
from store.submissions import begin_submission, record_receipt
from store.verifications import conclude
from tests.activities.scripted import (
    ACCEPTED,
    FAILURES_CAP,
    REFUSED,
    SILENT,
    THROTTLED,
    ScriptedCarrier,
    attempts_in,
    delivery,
)
from tests.building import CARRIERS, a_caller, a_phone, a_planned_attempt, a_verification, code_of, pass_time


async def planned(database: Database, *, to: str | None = None, **changes: Any) -> SendOrder:
    """Return the order to send the first message of a new verification."""
    facts = await a_verification(database, await a_caller(database), codes=0, to=to or a_phone())
    attempt = await a_planned_attempt(database, facts.id, **changes)
    return SendOrder(verification_id=facts.id, attempt_id=attempt)


async def send(activities: DeliveryActivities, order: SendOrder) -> Submission:
    return await ActivityEnvironment().run(activities.send, order)


async def attempt_in(database: Database, order: SendOrder) -> AttemptFacts:
    return next(each for each in await attempts_in(database, order.verification_id) if each.id == order.attempt_id)


async def end(database: Database, verification_id: UUID) -> None:
    async with database.transaction() as connection:
        await conclude(
            connection,
            verification_id,
            status=VerificationStatus.CANCELED,
            reason="canceled_by_account",
            failures_cap=FAILURES_CAP,
        )


async def test_a_message_carries_the_number_the_code_and_our_reference(database: Database) -> None:
    to, carrier = a_phone(), ScriptedCarrier()
    order = await planned(database, to=to)

    submission = await send(delivery(database, carrier), order)

    assert submission == Submission(attempt_id=order.attempt_id, status=SubmissionStatus.ACCEPTED)
    [message] = carrier.messages
    assert (message.to, message.sender, message.attempt_id) == (to, "Countersign", order.attempt_id)
    assert code_of(order.verification_id) in message.text
    assert 290 <= message.validity_s <= 300
    assert (await attempt_in(database, order)).status is AttemptStatus.ACCEPTED


@pytest.mark.parametrize("environment", Environment)
async def test_a_carrier_that_plays_the_outside_world_is_the_sandbox_s_alone(
    database: Database, environment: Environment
) -> None:
    carrier = ScriptedCarrier()
    facts = await a_verification(database, await a_caller(database, environment=environment), codes=0, to=a_phone())
    order = SendOrder(verification_id=facts.id, attempt_id=await a_planned_attempt(database, facts.id))

    await send(delivery(database, carrier, scripted=frozenset(CARRIERS)), order)

    attempt = await attempt_in(database, order)
    told = (attempt.status, attempt.carrier_code, len(carrier.messages))
    rejected = (AttemptStatus.REJECTED, "not-configured", 0)
    assert told == ((AttemptStatus.ACCEPTED, None, 1) if environment is Environment.SANDBOX else rejected)


@pytest.mark.parametrize("answer", [ACCEPTED, REFUSED, THROTTLED, SILENT])
async def test_a_message_sent_twice_is_handed_over_once_and_answered_alike(database: Database, answer: Answer) -> None:
    carrier = ScriptedCarrier(script=[answer])
    activities, order = delivery(database, carrier), await planned(database)

    first = await send(activities, order)
    second = await send(activities, order)

    assert len(carrier.messages) == 1
    assert (
        first
        == second
        == Submission(attempt_id=order.attempt_id, status=answer.status, failure_class=answer.failure_class)
    )
    kept = await attempt_in(database, order)
    assert (kept.status, kept.failure_class, kept.carrier_code) == (
        answer.status.value,
        answer.failure_class,
        answer.carrier_code,
    )


async def test_any_number_of_workers_at_once_hand_a_message_over_once(database: Database) -> None:
    carrier = ScriptedCarrier()
    activities, order = delivery(database, carrier), await planned(database)

    await asyncio.gather(*(send(activities, order) for _ in range(12)))

    assert len(carrier.messages) == 1


async def test_an_attempt_left_while_submitting_is_unknown_and_not_asked_about_again(database: Database) -> None:
    carrier, order = ScriptedCarrier(), await planned(database)
    async with database.transaction() as connection:
        assert await begin_submission(connection, order.attempt_id) is not None

    submission = await send(delivery(database, carrier), order)

    assert not carrier.messages
    assert (submission.status, submission.failure_class) == (SubmissionStatus.UNKNOWN, FailureClass.UNKNOWN)
    assert (await attempt_in(database, order)).carrier_code == "abandoned"


async def test_an_adapter_that_breaks_is_not_asked_again(database: Database) -> None:
    carrier = ScriptedCarrier(script=[RuntimeError("a bug"), ACCEPTED])
    activities, order = delivery(database, carrier), await planned(database)

    with pytest.raises(RuntimeError, match="a bug"):
        await send(activities, order)
    submission = await send(activities, order)

    assert submission.status is SubmissionStatus.UNKNOWN
    assert len(carrier.messages) == 1


async def test_nothing_is_locked_while_a_carrier_hangs_and_its_message_counts_as_unknown_afterwards(
    database: Database,
) -> None:
    on_the_line = asyncio.Event()

    async def hang(_: Message) -> None:
        on_the_line.set()
        await asyncio.Event().wait()

    carrier = ScriptedCarrier(meanwhile=hang)
    activities, order = delivery(database, carrier), await planned(database)
    under_way = asyncio.create_task(send(activities, order))
    await on_the_line.wait()

    async with asyncio.timeout(2):
        await planned(database)
    under_way.cancel()
    await asyncio.wait([under_way])
    submission = await send(activities, order)

    assert submission.status is SubmissionStatus.UNKNOWN
    assert len(carrier.messages) == 1


async def test_an_answer_that_comes_after_the_attempt_was_given_up_changes_nothing(database: Database) -> None:
    order = await planned(database)

    async def another_try(_: Message) -> None:
        await send(delivery(database, ScriptedCarrier()), order)

    await send(delivery(database, ScriptedCarrier(meanwhile=another_try)), order)

    assert (await attempt_in(database, order)).status is AttemptStatus.UNKNOWN


async def test_nothing_is_sent_for_a_verification_that_has_ended(database: Database) -> None:
    carrier, order = ScriptedCarrier(), await planned(database)
    await end(database, order.verification_id)

    submission = await send(delivery(database, carrier), order)

    assert submission == Submission(attempt_id=order.attempt_id, status=None)
    assert not carrier.messages
    assert (await attempt_in(database, order)).status is AttemptStatus.REJECTED


async def test_nothing_is_sent_when_the_time_is_over(database: Database) -> None:
    carrier, caller = ScriptedCarrier(), await a_caller(database)
    facts = await a_verification(database, caller, codes=0, to=a_phone())
    order = SendOrder(verification_id=facts.id, attempt_id=await a_planned_attempt(database, facts.id))
    await pass_time(database, caller, seconds=301)

    submission = await send(delivery(database, carrier), order)

    assert submission.status is None
    assert not carrier.messages


async def test_a_carrier_that_was_taken_out_of_the_configuration_is_a_refusal(database: Database) -> None:
    order = await planned(database)

    submission = await send(delivery(database, ScriptedCarrier(), names=("bravo",)), order)

    kept = await attempt_in(database, order)
    assert (submission.status, submission.failure_class) == (
        SubmissionStatus.REJECTED,
        FailureClass.ROUTE_TEMPORARY,
    )
    assert (kept.status, kept.carrier_code) == (AttemptStatus.REJECTED, "not-configured")


async def test_an_attempt_that_was_taken_back_is_not_sent(database: Database) -> None:
    carrier = ScriptedCarrier()

    submission = await send(delivery(database, carrier), SendOrder(verification_id=new_id(), attempt_id=new_id()))

    assert submission.status is None
    assert not carrier.messages


@pytest.mark.parametrize("receipt", [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED])
async def test_a_receipt_may_overtake_the_answer(database: Database, receipt: ReceiptStatus) -> None:
    async def report(message: Message) -> None:
        async with database.transaction() as connection:
            assert await record_receipt(connection, message.attempt_id, carrier="alpha", status=receipt)

    order = await planned(database)

    submission = await send(delivery(database, ScriptedCarrier(meanwhile=report)), order)

    kept = await attempt_in(database, order)
    assert submission.status is SubmissionStatus.ACCEPTED
    assert (kept.status, kept.receipt_status) == (receipt.value, receipt)
    assert kept.answered_at is not None
    assert kept.answered_at <= datetime.now(UTC)
