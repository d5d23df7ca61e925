"""Planning: one follower per attempt, over the pools that the product is shipped with."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from carriers.protocol import Answer
from domain.facts import AttemptFacts
from domain.messages import FailOverCause, FailOverRequest, NextStep, NextStepKind, SendOrder
from domain.statuses import AttemptStatus, FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from store.engine import Database
from store.submissions import begin_submission, record_receipt
from store.verifications import conclude
from tests.activities.scripted import (
    ACCEPTED,
    FAILURES_CAP,
    REFUSED,
    SILENT,
    ScriptedCarrier,
    attempts_in,
    delivery,
    followers_in,
    planning,
)
from tests.building import a_caller, a_phone, a_planned_attempt, a_verification, pass_time

SUBMISSION = FailOverCause.SUBMISSION


async def tried(database: Database, *answers: Answer, **changes: Any) -> UUID:
    """Return a verification to GB whose planned attempts were answered so, each by the next carrier."""
    facts = await a_verification(database, await a_caller(database), codes=0, to=a_phone())
    await a_planned_attempt(database, facts.id, **changes)
    for position, answer in enumerate(answers):
        if position:
            await ask(database, facts.id)
        attempt = (await attempts_in(database, facts.id))[-1]
        order = SendOrder(verification_id=facts.id, attempt_id=attempt.id)
        await delivery(database, ScriptedCarrier(script=[answer])).send(order)
    return facts.id


async def newest(database: Database, verification_id: UUID) -> AttemptFacts:
    return (await attempts_in(database, verification_id))[-1]


async def ask(
    database: Database, verification_id: UUID, *, cause: FailOverCause = SUBMISSION, after: UUID | None = None
) -> NextStep:
    """Ask what comes after an attempt, the newest if none is named."""
    attempt = after or (await newest(database, verification_id)).id
    request = FailOverRequest(verification_id=verification_id, attempt_id=attempt, cause=cause)
    return await ActivityEnvironment().run(planning(database).plan_next, request)


async def test_a_refusal_is_followed_by_the_next_carrier_of_the_pool(database: Database) -> None:
    verification = await tried(database, REFUSED)
    refused = await newest(database, verification)

    step = await ask(database, verification)

    assert (step.kind, step.attempt and step.attempt.carrier) == (NextStepKind.SEND, "bravo")
    follower = await newest(database, verification)
    assert step.attempt is not None
    assert follower.id == step.attempt.attempt_id
    assert (follower.sequence, follower.send, follower.status) == (1, refused.send, AttemptStatus.PLANNED)
    assert step.reason == follower.reason == "alpha answered rejected (route_temporary): next in pool GB"


async def test_the_sender_of_an_attempt_is_told_masked_when_it_is_a_number(database: Database) -> None:
    step = await ask(database, await tried(database, REFUSED))

    assert step.attempt is not None
    assert step.attempt.sender == "+44••••••0990"


async def test_asked_again_it_says_the_same_again(database: Database) -> None:
    verification = await tried(database, REFUSED)
    refused = (await newest(database, verification)).id

    first = await ask(database, verification, after=refused)
    second = await ask(database, verification, after=refused)

    assert first == second
    assert len(await attempts_in(database, verification)) == 2


async def test_asked_by_several_workers_at_once_it_plans_one_attempt(database: Database) -> None:
    verification = await tried(database, REFUSED)
    refused = (await newest(database, verification)).id

    # Those that lose may fail; their workflow would have asked again, as here.
    steps = await asyncio.gather(
        *(ask(database, verification, after=refused) for _ in range(8)), return_exceptions=True
    )
    again = await ask(database, verification, after=refused)

    assert {step for step in steps if isinstance(step, NextStep)} == {again}
    assert len(await followers_in(database, refused)) == 1
    assert len(await attempts_in(database, verification)) == 2


async def test_after_the_primary_pool_comes_the_backup_and_then_the_end(database: Database) -> None:
    verification = await tried(database, REFUSED, REFUSED, REFUSED)

    step = await ask(database, verification)

    tries = await attempts_in(database, verification)
    assert [(each.carrier, each.pool_country) for each in tries] == [
        ("alpha", "GB"),
        ("bravo", "GB"),
        ("charlie", "US"),
    ]
    assert (step.kind, step.reason) == (NextStepKind.FAIL, "no_route_left")


async def test_when_a_message_may_have_arrived_the_code_is_waited_for(database: Database) -> None:
    verification = await tried(database, SILENT, REFUSED, REFUSED)

    step = await ask(database, verification)

    assert step.kind is NextStepKind.WAIT


async def test_a_resend_that_waits_its_turn_keeps_the_verification_alive(database: Database) -> None:
    verification = await tried(database, REFUSED, REFUSED, REFUSED)
    refused = (await newest(database, verification)).id
    await a_planned_attempt(database, verification, sequence=3, send=2)

    step = await ask(database, verification, after=refused)

    assert step.kind is NextStepKind.WAIT


async def test_a_number_that_nobody_has_is_the_end_at_once(database: Database) -> None:
    nobody = Answer(status=SubmissionStatus.REJECTED, failure_class=FailureClass.RECIPIENT_PERMANENT)

    step = await ask(database, await tried(database, nobody))

    assert (step.kind, step.reason) == (NextStepKind.FAIL, "recipient_permanent")


async def test_a_region_without_workers_is_left_for_another_region(database: Database) -> None:
    verification = await tried(database, carrier="charlie", region="na", pool_country="US")

    step = await ask(database, verification, cause=FailOverCause.REGION_SILENT)

    silent = (await attempts_in(database, verification))[0]
    assert (silent.status, silent.carrier_code) == (AttemptStatus.REJECTED, "region-without-workers")
    assert silent.submitting_at is None
    assert step.attempt is not None
    assert step.attempt.region == "eu"


async def test_an_attempt_given_up_before_anybody_began_it_is_rejected(database: Database) -> None:
    verification = await tried(database)

    await ask(database, verification)

    given_up = (await attempts_in(database, verification))[0]
    assert (given_up.status, given_up.carrier_code) == (AttemptStatus.REJECTED, "abandoned")


async def test_an_attempt_given_up_while_it_was_submitted_is_unknown(database: Database) -> None:
    verification = await tried(database)
    async with database.transaction() as connection:
        await begin_submission(connection, (await newest(database, verification)).id)

    step = await ask(database, verification)

    assert (await attempts_in(database, verification))[0].status is AttemptStatus.UNKNOWN
    assert step.kind is NextStepKind.SEND


@pytest.mark.parametrize(
    ("receipt", "cause", "kind"),
    [
        (None, FailOverCause.NO_RECEIPT, NextStepKind.SEND),
        (ReceiptStatus.DELIVERED, FailOverCause.NO_RECEIPT, NextStepKind.WAIT),
        (ReceiptStatus.UNDELIVERED, FailOverCause.BAD_RECEIPT, NextStepKind.SEND),
    ],
)
async def test_the_receipt_found_in_the_database_decides(
    database: Database, receipt: ReceiptStatus | None, cause: FailOverCause, kind: NextStepKind
) -> None:
    verification = await tried(database, ACCEPTED)
    if receipt is not None:
        async with database.transaction() as connection:
            attempt = (await newest(database, verification)).id
            assert await record_receipt(connection, attempt, carrier="alpha", status=receipt)

    step = await ask(database, verification, cause=cause)

    assert step.kind is kind


async def test_nothing_is_planned_for_a_verification_that_has_ended(database: Database) -> None:
    verification = await tried(database, REFUSED)
    async with database.transaction() as connection:
        await conclude(
            connection,
            verification,
            status=VerificationStatus.CANCELED,
            reason="canceled_by_account",
            failures_cap=FAILURES_CAP,
        )

    step = await ask(database, verification)

    assert step.kind is NextStepKind.FINISH
    assert len(await attempts_in(database, verification)) == 1


async def test_nothing_is_planned_when_the_time_is_over(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0, to=a_phone())
    await a_planned_attempt(database, facts.id)
    await pass_time(database, caller, seconds=301)

    step = await ask(database, facts.id)

    assert step.kind is NextStepKind.FINISH
    assert len(await attempts_in(database, facts.id)) == 1
