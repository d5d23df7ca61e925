"""A message is handed over at most once and settled once; carriers' words only move an attempt forward."""

import asyncio
import itertools
from collections import Counter
from uuid import UUID

import pytest

from domain.facts import AttemptFacts
from domain.ids import new_id
from domain.statuses import AttemptStatus, FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from store.attempts import read_attempt
from store.engine import Database
from store.submissions import begin_submission, record_receipt, settle_unsent, withdraw_planned
from store.verifications import conclude, remove_untouched
from tests.building import a_caller, a_planned_attempt, a_verification, an_attempt, answered, pass_time
from tests.store.crowd import Crowd
from tests.store.tasks import begin_all


async def a_planned(database: Database) -> UUID:
    verification = await a_verification(database, await a_caller(database), codes=0)
    return await a_planned_attempt(database, verification.id)


async def an_accepted(database: Database) -> UUID:
    verification = await a_verification(database, await a_caller(database), codes=0)
    return await an_attempt(database, verification.id)


async def begin(database: Database, attempt: UUID) -> int | None:
    async with database.transaction() as connection:
        begun = await begin_submission(connection, attempt)
    return None if begun is None else begun.sequence


async def answer(database: Database, attempt: UUID, status: SubmissionStatus) -> bool:
    failure = None if status is SubmissionStatus.ACCEPTED else FailureClass.UNKNOWN
    return await answered(database, attempt, status=status, failure_class=failure)


async def receipt(database: Database, attempt: UUID, status: ReceiptStatus, *, carrier: str = "alpha") -> bool:
    async with database.transaction() as connection:
        return await record_receipt(connection, attempt, carrier=carrier, status=status)


async def settle(database: Database, attempt: UUID) -> None:
    async with database.transaction() as connection:
        await settle_unsent(connection, attempt, code="abandoned")


async def facts_of(database: Database, attempt: UUID) -> AttemptFacts:
    async with database.reading() as connection:
        found = await read_attempt(connection, attempt)
    assert found is not None
    return found[1]


async def test_of_twenty_takers_at_once_one_may_submit(database: Database) -> None:
    attempt = await a_planned(database)

    counters = await asyncio.gather(*(begin(database, attempt) for _ in range(20)))

    assert Counter(counters) == {0: 1, None: 19}


async def test_of_several_processes_at_once_one_may_submit_each_attempt(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    attempts = [await a_planned(database) for _ in range(10)]

    won = crowd.run(begin_all, url=database_url, argument=attempts)

    assert Counter(at for each in won for at in each) == dict.fromkeys(range(10), 1)


async def test_nothing_is_submitted_for_a_verification_that_ended(database: Database) -> None:
    caller = await a_caller(database)
    ended = await a_verification(database, caller, to="+447911200001")
    overdue = await a_verification(database, caller, to="+447911200002", ttl_s=30)
    attempts = [await a_planned_attempt(database, each.id, sequence=1) for each in (ended, overdue)]
    async with database.transaction() as connection:
        await conclude(connection, ended.id, status=VerificationStatus.CANCELED, reason="test", failures_cap=30)
    await pass_time(database, caller, seconds=30)

    begun = [await begin(database, attempt) for attempt in attempts]

    assert begun == [None, None]


async def test_a_submission_that_was_abandoned_is_unknown_and_never_begun_again(database: Database) -> None:
    attempt = await a_planned(database)
    await begin(database, attempt)

    await settle(database, attempt)

    facts = await facts_of(database, attempt)
    assert (facts.status, facts.failure_class) == (AttemptStatus.UNKNOWN, FailureClass.UNKNOWN)
    assert await begin(database, attempt) is None


async def test_an_attempt_that_was_never_begun_is_settled_as_rejected(database: Database) -> None:
    attempt = await a_planned(database)

    await settle(database, attempt)

    facts = await facts_of(database, attempt)
    assert (facts.status, facts.failure_class) == (AttemptStatus.REJECTED, FailureClass.ROUTE_TEMPORARY)
    assert await begin(database, attempt) is None


async def test_unknown_stays_unknown_whatever_is_heard_later(database: Database) -> None:
    attempt = await a_planned(database)
    await begin(database, attempt)
    await settle(database, attempt)

    was_settled = await answer(database, attempt, SubmissionStatus.ACCEPTED)
    await receipt(database, attempt, ReceiptStatus.DELIVERED)

    facts = await facts_of(database, attempt)
    assert was_settled is False
    assert facts.status is AttemptStatus.UNKNOWN
    assert facts.receipt_status is ReceiptStatus.DELIVERED


async def test_settling_leaves_an_answered_attempt_as_it_is(database: Database) -> None:
    attempt = await an_accepted(database)

    await settle(database, attempt)

    assert (await facts_of(database, attempt)).status is AttemptStatus.ACCEPTED


@pytest.mark.parametrize("status", list(SubmissionStatus))
async def test_the_first_answer_stands(database: Database, status: SubmissionStatus) -> None:
    attempt = await a_planned(database)
    await begin(database, attempt)

    settled = [await answer(database, attempt, each) for each in (status, *SubmissionStatus)]

    assert settled == [True, *[False] * len(SubmissionStatus)]
    assert (await facts_of(database, attempt)).status == status.value


async def test_a_receipt_moves_an_accepted_attempt_forward_and_its_double_changes_nothing(database: Database) -> None:
    attempt = await an_accepted(database)

    kept = [await receipt(database, attempt, ReceiptStatus.DELIVERED) for _ in range(3)]

    facts = await facts_of(database, attempt)
    assert kept == [True, False, False]
    assert (facts.status, facts.receipt_status) == (AttemptStatus.DELIVERED, ReceiptStatus.DELIVERED)


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.permutations([each for each in ReceiptStatus if each != "unknown"], 2))
)
async def test_the_first_final_word_of_a_carrier_stands(
    database: Database, first: ReceiptStatus, second: ReceiptStatus
) -> None:
    attempt = await an_accepted(database)

    await receipt(database, attempt, first)
    await receipt(database, attempt, second)

    facts = await facts_of(database, attempt)
    assert (facts.status.value, facts.receipt_status) == (first.value, first)


async def test_a_carrier_that_does_not_know_yet_may_say_more_later(database: Database) -> None:
    attempt = await an_accepted(database)

    await receipt(database, attempt, ReceiptStatus.UNKNOWN)
    in_between = (await facts_of(database, attempt)).status
    await receipt(database, attempt, ReceiptStatus.DELIVERED)

    assert in_between is AttemptStatus.ACCEPTED
    assert (await facts_of(database, attempt)).status is AttemptStatus.DELIVERED


async def test_a_receipt_that_overtakes_the_answer_is_kept_and_counts_once_the_answer_is_there(
    database: Database,
) -> None:
    attempt = await a_planned(database)
    await begin(database, attempt)

    await receipt(database, attempt, ReceiptStatus.DELIVERED)
    before = (await facts_of(database, attempt)).status
    await answer(database, attempt, SubmissionStatus.ACCEPTED)

    assert before is AttemptStatus.SUBMITTING
    assert (await facts_of(database, attempt)).status is AttemptStatus.DELIVERED


async def test_receipts_and_the_answer_end_the_same_in_any_order(database: Database) -> None:
    words = ("answer", "delivered", "delivered")
    ends = set()

    for order in set(itertools.permutations(words)):
        attempt = await a_planned(database)
        await begin(database, attempt)
        for word in order:
            if word == "answer":
                await answer(database, attempt, SubmissionStatus.ACCEPTED)
            else:
                await receipt(database, attempt, ReceiptStatus.DELIVERED)
        ends.add((await facts_of(database, attempt)).status)

    assert ends == {AttemptStatus.DELIVERED}


async def test_a_receipt_long_after_the_end_is_kept_beside_the_attempt(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller, codes=0)
    attempt = await an_attempt(database, verification.id)
    async with database.transaction() as connection:
        await conclude(connection, verification.id, status=VerificationStatus.EXPIRED, reason="test", failures_cap=30)
    await pass_time(database, caller, seconds=72 * 3_600)

    await receipt(database, attempt, ReceiptStatus.DELIVERED)

    assert (await facts_of(database, attempt)).receipt_status is ReceiptStatus.DELIVERED


async def test_a_receipt_of_another_carrier_or_for_nothing_we_sent_changes_nothing(database: Database) -> None:
    planned, sent = await a_planned(database), await an_accepted(database)

    kept = [
        await receipt(database, sent, ReceiptStatus.UNDELIVERED, carrier="bravo"),
        await receipt(database, planned, ReceiptStatus.DELIVERED),
        await receipt(database, new_id(), ReceiptStatus.DELIVERED),
    ]

    assert kept == [False, False, False]
    assert (await facts_of(database, sent)).status is AttemptStatus.ACCEPTED
    assert (await facts_of(database, planned)).status is AttemptStatus.PLANNED


async def test_twenty_receipts_at_once_are_one(database: Database) -> None:
    attempt = await an_accepted(database)
    words = [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED] * 10

    kept = await asyncio.gather(*(receipt(database, attempt, word) for word in words))

    facts = await facts_of(database, attempt)
    assert sum(kept) == 1
    assert facts.receipt_status is words[kept.index(True)]


async def test_what_was_begun_is_not_taken_back(database: Database) -> None:
    verification = await a_verification(database, await a_caller(database), codes=0)
    attempt = await a_planned_attempt(database, verification.id)
    await begin(database, attempt)

    async with database.transaction() as connection:
        taken_back = [
            await withdraw_planned(connection, attempt),
            await remove_untouched(connection, verification.id),
        ]

    assert taken_back == [False, False]
    assert (await facts_of(database, attempt)).status is AttemptStatus.SUBMITTING


@pytest.mark.parametrize("what", ["attempt", "verification"])
async def test_taking_back_beside_a_beginning_submission_leaves_what_was_begun(database: Database, what: str) -> None:
    verification = await a_verification(database, await a_caller(database), codes=0)
    attempt = await a_planned_attempt(database, verification.id)

    async def take_back() -> bool:
        async with database.transaction() as connection:
            if what == "attempt":
                return await withdraw_planned(connection, attempt)
            return await remove_untouched(connection, verification.id)

    async with database.transaction() as connection:
        begun = await begin_submission(connection, attempt)
        taking_back = asyncio.create_task(take_back())
        # It cannot finish while this transaction is open; on PostgreSQL it looks at the rows in the meantime.
        await asyncio.wait({taking_back}, timeout=0.2)

    assert begun is not None
    assert await taking_back is False
    assert (await facts_of(database, attempt)).status is AttemptStatus.SUBMITTING
