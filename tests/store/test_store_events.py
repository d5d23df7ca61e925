"""Events: one for each change, in its transaction, numbered without gaps, read by nobody too early."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text

from activities.conclusion import ConclusionActivities
from activities.planning import PlanningActivities
from bench.postgres import Cluster
from domain.errors import NumberLockedError
from domain.event_types import KINDS, EventType
from domain.events import BEGINNING, Event, NewEvent, Position, UndeclaredFieldsError
from domain.facts import Caller
from domain.ids import new_id
from domain.messages import Conclusion, FailOverCause, FailOverRequest
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from domain.verification_events import guess_failed, receipt_arrived
from services.sends import StartRequest
from services.verifications import Done
from store.attempts import read_attempt
from store.engine import Database
from store.events import emit
from store.guards import add_failures
from store.migrate import migrate
from store.reading_events import EventFilters, events_after, forget_old_events, place_of
from store.submissions import begin_submission, record_receipt
from store.verifications import conclude, hold_verification
from tests.building import (
    a_caller,
    a_phone,
    a_planned_attempt,
    a_router,
    a_verification,
    an_attempt,
    answered,
    code_of,
    number_key,
    use_cases,
    wrong_codes,
)
from tests.databases import fresh_database


async def events_of(database: Database, caller: Caller, position: Position = BEGINNING) -> list[Event]:
    """Return what an account is told, in order."""
    filters = EventFilters(account_id=caller.account_id, environment=caller.environment)
    async with database.reading() as connection:
        return await events_after(connection, filters, position, limit=1_000)


async def types_of(database: Database, caller: Caller) -> list[str]:
    return [each.type for each in await events_of(database, caller)]


def a_limit_event(caller: Caller, *, once: str | None = None) -> NewEvent:
    return NewEvent(
        type=EventType.LIMIT_REACHED,
        account_id=caller.account_id,
        environment=caller.environment,
        data={"limit": "number-limit", "country": "GB", "to": None, "retry_after_s": 30},
        once=once,
    )


@pytest.fixture
def empty_postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with fresh_database(cluster) as url:
        yield url


async def test_the_way_to_an_approval_is_told_step_by_step(database: Database) -> None:
    caller, parts, phone = await a_caller(database), use_cases(database), a_phone()

    done = await parts.verifications.start(caller, StartRequest(to=phone))
    assert isinstance(done, Done)
    verification = done.view.facts.id
    await parts.checks.check(caller, verification, wrong_codes(verification)[0])
    await parts.checks.check(caller, verification, code_of(verification))

    told = await events_of(database, caller)
    assert [(each.sequence, each.type) for each in told] == [
        (1, "verification.created"),
        (2, "attempt.submitted"),
        (3, "check.failed"),
        (4, "verification.approved"),
    ]
    assert {each.to for each in told} == {f"+44••••••{phone[-4:]}"}
    assert {each.verification_id for each in told} == {verification}
    assert told[2].data["checks_left"] == 4
    assert told[3].data["proved_attempt"] == 1
    assert phone[3:] not in " ".join(each.body().decode() for each in told)


async def test_the_last_wrong_code_tells_of_itself_and_of_the_end(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = await a_verification(database, caller, max_checks=1)

    await parts.checks.check(caller, facts.id, wrong_codes(facts.id)[0])

    told = await types_of(database, caller)
    assert told[-2:] == ["check.failed", "verification.max_attempts_reached"]


async def test_a_cancelation_is_told(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = await a_verification(database, caller, codes=0)

    await parts.verifications.cancel(caller, facts.id)

    (event,) = await events_of(database, caller)
    assert (event.type, event.data["reason"]) == ("verification.canceled", "canceled_by_account")


async def test_an_end_is_told_once_however_many_conclude(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    activities = ConclusionActivities(database=database, failures_cap=30)
    conclusion = Conclusion(verification_id=facts.id, status=VerificationStatus.FAILED, reason="no_route_left")

    await asyncio.gather(*(activities.conclude(conclusion) for _ in range(5)))

    assert await types_of(database, caller) == ["verification.failed"]


async def test_a_refused_message_and_the_route_that_takes_over_are_told(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    attempt = await a_planned_attempt(database, facts.id)
    async with database.transaction() as connection:
        await begin_submission(connection, attempt)
    await answered(database, attempt, status=SubmissionStatus.REJECTED, failure_class=FailureClass.ROUTE_TEMPORARY)

    planning = PlanningActivities(database=database, router=a_router())
    request = FailOverRequest(verification_id=facts.id, attempt_id=attempt, cause=FailOverCause.SUBMISSION)
    await planning.plan_next(request)
    await planning.plan_next(request)

    failed, over = await events_of(database, caller)
    assert (failed.type, failed.data["failure_class"]) == ("attempt.failed", "route_temporary")
    assert (over.type, over.data["from_carrier"], over.data["attempt"]) == ("attempt.failed_over", "alpha", 2)


async def test_an_abandoned_attempt_and_its_follower_are_told_in_one_breath(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    attempt = await a_planned_attempt(database, facts.id)

    request = FailOverRequest(verification_id=facts.id, attempt_id=attempt, cause=FailOverCause.REGION_SILENT)
    await PlanningActivities(database=database, router=a_router()).plan_next(request)

    told = await events_of(database, caller)
    assert [(each.sequence, each.type) for each in told] == [(1, "attempt.failed"), (2, "attempt.failed_over")]
    assert told[0].data["carrier_code"] == "region-without-workers"


async def test_of_many_answers_to_one_attempt_one_is_told(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    attempt = await a_planned_attempt(database, facts.id)
    async with database.transaction() as connection:
        await begin_submission(connection, attempt)

    settled = await asyncio.gather(*(answered(database, attempt) for _ in range(6)))

    assert Counter(settled) == {True: 1, False: 5}
    assert await types_of(database, caller) == ["attempt.submitted"]


async def test_a_sequence_has_no_gap_and_no_double_under_a_crowd(database: Database) -> None:
    """Answers that hold nothing meet guesses and receipts that hold the verification."""
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    attempts = [await a_planned_attempt(database, facts.id, sequence=at) for at in range(12)]
    async with database.transaction() as connection:
        for each in attempts:
            await begin_submission(connection, each)

    async def holding() -> None:
        async with database.transaction() as connection:
            held = await hold_verification(connection, facts.id)
            assert held is not None
            await emit(connection, guess_failed(held), guess_failed(held))

    crowd = [answered(database, each) for each in attempts]
    settled = await asyncio.gather(*crowd, *(holding() for _ in range(12)))

    assert [each for each in settled if each is not None] == [True] * 12
    sequences = [each.sequence for each in await events_of(database, caller)]
    assert sorted(filter(None, sequences)) == list(range(1, 37))


async def test_nothing_is_told_of_what_was_rolled_back(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)

    with pytest.raises(RuntimeError, match="at last"):
        await conclude_and_fail(database, facts.id)

    assert await types_of(database, caller) == []


async def conclude_and_fail(database: Database, verification: UUID) -> None:
    async with database.transaction() as connection:
        await conclude(connection, verification, status=VerificationStatus.FAILED, reason="x", failures_cap=30)
        raise RuntimeError("at last")


async def test_no_reader_misses_an_event_that_was_committed_late(database: Database) -> None:
    """A slow transaction takes its number first and commits last; a reader that polls meanwhile sees both, in order."""
    caller, written, may_commit = await a_caller(database), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as connection:
            await emit(connection, a_limit_event(caller, once="slow"))
            written.set()
            await may_commit.wait()

    async def quick() -> None:
        async with database.transaction() as connection:
            await emit(connection, a_limit_event(caller, once="quick"))

    held = asyncio.create_task(slow())
    await written.wait()
    # On SQLite writers stand in line, so the quick one is the second one there.
    follower = asyncio.create_task(quick())
    if not database.is_sqlite:
        await follower
    first_look = await events_of(database, caller)
    place = first_look[-1].position if first_look else BEGINNING
    may_commit.set()
    await asyncio.gather(held, follower)
    second_look = await events_of(database, caller, place)

    assert len(first_look) + len(second_look) == 2
    assert first_look == []


async def test_what_is_told_once_is_told_once(database: Database) -> None:
    caller = await a_caller(database)

    for _ in range(3):
        async with database.transaction() as connection:
            await emit(connection, a_limit_event(caller, once="number/today"))
    async with database.transaction() as connection:
        await emit(connection, a_limit_event(caller, once="number/tomorrow"))

    assert len(await events_of(database, caller)) == 2


async def test_a_reader_goes_on_after_any_event(database: Database) -> None:
    caller = await a_caller(database)
    for _ in range(5):
        async with database.transaction() as connection:
            await emit(connection, a_limit_event(caller))

    told = await events_of(database, caller)
    async with database.reading() as connection:
        place = await place_of(connection, told[2].id, account_id=caller.account_id, environment=caller.environment)
        elsewhere = await place_of(connection, told[2].id, account_id=new_id(), environment=caller.environment)

    assert place == told[2].position
    assert elsewhere is None
    assert await events_of(database, caller, told[2].position) == told[3:]


@pytest.mark.parametrize("status", [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED, ReceiptStatus.UNKNOWN])
async def test_doubled_receipts_are_told_once_and_empty_ones_never(database: Database, status: ReceiptStatus) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    attempt = await an_attempt(database, facts.id)

    news = [await receipt(database, facts.id, attempt, status) for _ in range(3)]

    expected = {ReceiptStatus.DELIVERED: ["attempt.delivered"], ReceiptStatus.UNDELIVERED: ["attempt.undelivered"]}
    assert (await types_of(database, caller))[1:] == expected.get(status, [])
    assert any(news)


async def receipt(database: Database, verification: UUID, attempt: UUID, status: ReceiptStatus) -> bool:
    async with database.transaction() as connection:
        held = await hold_verification(connection, verification)
        is_news = await record_receipt(connection, attempt, carrier="alpha", status=status)
        found = await read_attempt(connection, attempt)
        assert held is not None
        assert found is not None
        event = receipt_arrived(held, found[1], status=status, failure_class=None, carrier_code=None)
        if is_news and event is not None:
            await emit(connection, event)
    return is_news


async def test_new_events_are_not_forgotten(database: Database) -> None:
    caller = await a_caller(database)
    async with database.transaction() as connection:
        await emit(connection, a_limit_event(caller))
        await forget_old_events(connection)

    assert len(await events_of(database, caller)) == 1


def test_an_event_with_other_fields_than_its_type_has_is_refused() -> None:
    caller = {"account_id": new_id(), "environment": "sandbox"}

    for data in ({}, {"limit": "x"}, {**dict.fromkeys(KINDS[EventType.LIMIT_REACHED].fields), "code": "123456"}):
        with pytest.raises(UndeclaredFieldsError):
            NewEvent(type=EventType.LIMIT_REACHED, data=data, **caller)  # type: ignore[arg-type]


async def test_events_of_a_restored_database_are_read_before_all_new_ones(empty_postgres: str) -> None:
    """A dump brings the transaction ids of another cluster, which may be far ahead of this one's."""
    database = Database(empty_postgres)
    await migrate(database)
    caller = await a_caller(database)
    for _ in range(3):
        async with database.transaction() as connection:
            await emit(connection, a_limit_event(caller))
    before = await events_of(database, caller)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE event SET transaction = transaction + 4000000000"))
    hidden = await events_of(database, caller)

    await migrate(database)
    async with database.transaction() as connection:
        await emit(connection, a_limit_event(caller))
    after = await events_of(database, caller)
    await database.close()

    assert hidden == []
    assert [each.id for each in after[:3]] == [each.id for each in before]
    assert len(after) == 4


async def test_a_limit_that_refuses_is_told_once_an_hour(database: Database) -> None:
    caller, parts, phone = await a_caller(database), use_cases(database), a_phone()
    facts = await a_verification(database, caller, to=phone, codes=0)
    async with database.transaction() as connection:
        await add_failures(connection, number_key(caller, to=phone), more=30, until=None, cap=30)
        await conclude(connection, facts.id, status=VerificationStatus.FAILED, reason="x", failures_cap=30)

    for _ in range(3):
        with pytest.raises(NumberLockedError):
            await parts.verifications.start(caller, StartRequest(to=phone))
    with pytest.raises(NumberLockedError):
        await use_cases(database).verifications.start(caller, StartRequest(to=phone))

    told = [each for each in await events_of(database, caller) if each.type == "limit.reached"]
    assert [(each.data["limit"], each.data["to"]) for each in told] == [("number-locked", f"+44••••••{phone[-4:]}")]
