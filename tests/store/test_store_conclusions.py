"""A verification reaches one end state, and its wrong guesses reach its number once."""

import asyncio
import itertools

from domain.facts import VerificationFacts
from domain.statuses import VerificationStatus
from store.checks import count_guess
from store.engine import Database
from store.guards import read_guard
from store.verifications import conclude, due_verifications, read_verification, take_counter
from tests.building import a_caller, a_verification, number_key, pass_time

ENDED_BY_US, ENDED_BY_ACCOUNT = VerificationStatus.FAILED, VerificationStatus.CANCELED
ENDS = [each for each in VerificationStatus if each is not VerificationStatus.PENDING]


async def end(
    database: Database, verification: VerificationFacts, status: VerificationStatus, *, only_when_due: bool = False
) -> VerificationFacts | None:
    async with database.transaction() as connection:
        return await conclude(
            connection,
            verification.id,
            status=status,
            reason="test",
            failures_cap=30,
            only_when_due=only_when_due,
        )


async def guess(database: Database, verification: VerificationFacts) -> None:
    async with database.transaction() as connection:
        await count_guess(
            connection,
            verification.id,
            account_id=verification.account_id,
            environment=verification.environment,
        )


async def test_of_all_ends_at_once_one_is_reached(database: Database) -> None:
    verification = await a_verification(database, await a_caller(database))

    reached = await asyncio.gather(*(end(database, verification, status) for status in ENDS * 4))

    assert sum(each is not None for each in reached) == 1


async def test_wrong_guesses_are_carried_over_once_however_many_conclude_at_once(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller)
    for _ in range(3):
        await guess(database, verification)

    await asyncio.gather(*(end(database, verification, VerificationStatus.CANCELED) for _ in range(20)))

    async with database.reading() as connection:
        guard = await read_guard(connection, number_key(caller))
    assert guard is not None
    assert guard.failures == 3


async def test_an_end_is_never_left(database: Database) -> None:
    for at, (first, second) in enumerate(itertools.permutations(ENDS, 2)):
        caller = await a_caller(database)
        verification = await a_verification(database, caller, to=f"+4479112000{at:02d}")

        ended = [await end(database, verification, status) for status in (first, second)]

        assert ended[0] is not None
        assert (ended[0].status, ended[1]) == (first, None)


async def test_what_is_not_due_does_not_expire(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller, ttl_s=30)

    early = await end(database, verification, VerificationStatus.EXPIRED, only_when_due=True)
    await pass_time(database, caller, seconds=30)
    due = await end(database, verification, VerificationStatus.EXPIRED, only_when_due=True)

    assert early is None
    assert due is not None
    assert due.status is VerificationStatus.EXPIRED


async def test_what_was_told_as_expired_becomes_nothing_else_and_ended_at_its_deadline(database: Database) -> None:
    caller = await a_caller(database)
    verification = await a_verification(database, caller, ttl_s=30)
    await pass_time(database, caller, seconds=90)

    too_late = [await end(database, verification, each) for each in (ENDED_BY_US, ENDED_BY_ACCOUNT)]
    expired = await end(database, verification, VerificationStatus.EXPIRED, only_when_due=True)

    assert too_late == [None, None]
    assert expired is not None
    assert expired.ended_at == expired.expires_at


async def test_upkeep_finds_what_nobody_concluded(database: Database) -> None:
    caller = await a_caller(database)
    overdue = await a_verification(database, caller, to="+447911200001", ttl_s=30)
    live = await a_verification(database, caller, to="+447911200002", ttl_s=300)
    await pass_time(database, caller, seconds=60)

    async with database.reading() as connection:
        due = await due_verifications(connection)

    assert overdue.id in due
    assert live.id not in due


async def test_a_guess_beside_a_cancellation_is_counted_before_it_or_not_at_all(database: Database) -> None:
    for at in range(10):
        caller = await a_caller(database)
        verification = await a_verification(database, caller, to=f"+4479112000{at:02d}")

        await asyncio.gather(
            *(guess(database, verification) for _ in range(3)),
            end(database, verification, VerificationStatus.CANCELED),
            *(guess(database, verification) for _ in range(3)),
        )

        async with database.reading() as connection:
            guard = await read_guard(connection, number_key(caller, to=f"+4479112000{at:02d}"))
        assert guard is not None
        assert guard.failures == await counted(database, verification)


async def counted(database: Database, verification: VerificationFacts) -> int:
    async with database.reading() as connection:
        facts = await read_verification(connection, verification.id)
    assert facts is not None
    return facts.checks


async def test_counters_are_given_out_once_each_and_none_after_the_end(database: Database) -> None:
    verification = await a_verification(database, await a_caller(database))

    async def take() -> int | None:
        async with database.transaction() as connection:
            return await take_counter(connection, verification.id)

    taken = await asyncio.gather(*(take() for _ in range(10)))
    await end(database, verification, VerificationStatus.CANCELED)

    assert sorted(each for each in taken if each is not None) == list(range(1, 11))
    assert await take() is None
