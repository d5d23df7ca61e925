"""How many messages a number may get: growing gaps, sliding windows, one winner."""

import asyncio
from collections import Counter

import pytest

from domain.accounts import AccountChanges
from domain.facts import Caller, GuardFacts
from domain.statuses import AccountStatus, Environment
from store.accounts import change_account
from store.engine import Database
from store.guards import NumberKey, add_failures, give_back_send, read_guard, take_send
from tests.building import a_caller, number_key, pass_time
from tests.store.crowd import PROCESSES, Crowd
from tests.store.tasks import take_ten_sends


async def take(database: Database, number: NumberKey) -> GuardFacts | None:
    async with database.transaction() as connection:
        return await take_send(connection, number)


async def sends_until_refused(database: Database, caller: Caller, *, every_s: float) -> int:
    """Take sends at a steady pace; return how many were let through before the first refusal."""
    taken = 0
    while await take(database, number_key(caller)) is not None:
        taken += 1
        await pass_time(database, caller, seconds=every_s)
    return taken


async def test_the_gap_grows_from_30_to_60_to_120_seconds(database: Database) -> None:
    caller = await a_caller(database)
    gaps = []

    for _ in range(4):
        taken = await take(database, number_key(caller))
        assert taken is not None
        gaps.append(round((taken.sends.next_send_at - taken.sends.recent_sends[0]).total_seconds()))
        await pass_time(database, caller, seconds=gaps[-1])

    assert gaps == [30, 60, 120, 120]


async def test_a_second_before_the_gap_ends_nothing_is_sent_and_at_its_end_something_is(database: Database) -> None:
    caller = await a_caller(database)
    await take(database, number_key(caller))

    await pass_time(database, caller, seconds=29)
    early = await take(database, number_key(caller))
    await pass_time(database, caller, seconds=1)
    in_time = await take(database, number_key(caller))

    assert early is None
    assert in_time is not None


async def test_a_refused_send_changes_nothing(database: Database) -> None:
    caller = await a_caller(database)
    before = await take(database, number_key(caller))

    refused = await take(database, number_key(caller))

    async with database.reading() as connection:
        after = await read_guard(connection, number_key(caller))
    assert refused is None
    assert before is not None
    assert after is not None
    assert after.sends == before.sends


@pytest.mark.parametrize(("last_s", "is_taken"), [(599, False), (600, True)])
async def test_five_messages_in_any_ten_minutes_and_no_sixth(
    database: Database, *, last_s: int, is_taken: bool
) -> None:
    caller = await a_caller(database)
    for wait_s in (0, 30, 60, 120, 120):
        await pass_time(database, caller, seconds=wait_s)
        assert await take(database, number_key(caller)) is not None

    # The first of them went 330 s ago.
    await pass_time(database, caller, seconds=last_s - 330)

    assert (await take(database, number_key(caller)) is not None) is is_taken


async def test_the_short_window_slides_instead_of_beginning_anew(database: Database) -> None:
    caller = await a_caller(database)
    for wait_s in (0, 30, 60, 120, 120, 270):  # at 0, 30, 90, 210, 330 and 600 seconds
        await pass_time(database, caller, seconds=wait_s)
        assert await take(database, number_key(caller)) is not None

    await pass_time(database, caller, seconds=29)
    before_the_second_leaves_the_window = await take(database, number_key(caller))
    await pass_time(database, caller, seconds=91)
    after = await take(database, number_key(caller))

    assert before_the_second_leaves_the_window is None
    assert after is not None


async def test_ten_messages_in_any_24_hours_and_no_eleventh(database: Database) -> None:
    caller = await a_caller(database)

    taken = await sends_until_refused(database, caller, every_s=2_000)
    await pass_time(database, caller, seconds=86_400 - 10 * 2_000 - 1)
    a_second_early = await take(database, number_key(caller))
    await pass_time(database, caller, seconds=1)
    when_the_first_is_a_day_old = await take(database, number_key(caller))

    assert taken == 10
    assert a_second_early is None
    assert when_the_first_is_a_day_old is not None


async def test_after_ten_quiet_minutes_the_gaps_begin_anew(database: Database) -> None:
    caller = await a_caller(database)
    for wait_s in (0, 30, 60):
        await pass_time(database, caller, seconds=wait_s)
        await take(database, number_key(caller))

    await pass_time(database, caller, seconds=601)
    taken = await take(database, number_key(caller))

    assert taken is not None
    assert round((taken.sends.next_send_at - taken.sends.recent_sends[0]).total_seconds()) == 30


async def test_of_twenty_takers_at_once_exactly_one_wins(database: Database) -> None:
    caller = await a_caller(database)

    taken = await asyncio.gather(*(take(database, number_key(caller)) for _ in range(20)))

    assert sum(each is not None for each in taken) == 1


async def test_of_twenty_takers_at_once_exactly_one_wins_the_second_message_too(database: Database) -> None:
    caller = await a_caller(database)
    await take(database, number_key(caller))
    await pass_time(database, caller, seconds=30)

    taken = await asyncio.gather(*(take(database, number_key(caller)) for _ in range(20)))

    assert sum(each is not None for each in taken) == 1


async def test_of_several_processes_at_once_exactly_one_wins_each_number(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller = await a_caller(database)

    won = crowd.run(take_ten_sends, url=database_url, argument=caller.account_id)

    assert len(won) == PROCESSES
    assert Counter(at for each in won for at in each) == dict.fromkeys(range(10), 1)


async def test_accounts_and_environments_do_not_share_a_number_s_limit(database: Database) -> None:
    one, other = await a_caller(database), await a_caller(database)
    live = NumberKey(
        account_id=one.account_id, environment=Environment.PRODUCTION, number_hash=number_key(one)["of_number"]
    )

    taken = [await take(database, key) for key in (number_key(one), number_key(other), live)]

    assert all(taken)


async def test_a_send_given_back_leaves_the_number_as_it_was(database: Database) -> None:
    caller = await a_caller(database)
    await take(database, number_key(caller))
    await pass_time(database, caller, seconds=30)
    taken = await take(database, number_key(caller))
    assert taken is not None

    async with database.transaction() as connection:
        await give_back_send(connection, number_key(caller), taken=taken.sends)

    again = await take(database, number_key(caller))
    assert again is not None
    assert len(again.sends.recent_sends) == 2
    assert round((again.sends.next_send_at - again.sends.recent_sends[0]).total_seconds()) == 60


async def test_a_send_is_not_given_back_once_another_one_was_counted(database: Database) -> None:
    caller = await a_caller(database)
    first = await take(database, number_key(caller))
    await pass_time(database, caller, seconds=30)
    await take(database, number_key(caller))
    assert first is not None

    async with database.transaction() as connection:
        await give_back_send(connection, number_key(caller), taken=first.sends)
        guard = await read_guard(connection, number_key(caller))

    assert guard is not None
    assert len(guard.sends.recent_sends) == 2


async def test_a_locked_number_gets_no_message_until_the_lock_has_run_out(database: Database) -> None:
    caller = await a_caller(database)
    await take(database, number_key(caller))
    async with database.transaction() as connection:
        await add_failures(connection, number_key(caller), more=30, until=None, cap=30)

    await pass_time(database, caller, seconds=86_399)
    locked = await take(database, number_key(caller))
    await pass_time(database, caller, seconds=1)
    free = await take(database, number_key(caller))

    assert locked is None
    assert free is not None
    assert (free.failures, free.locked_until) == (0, None)


@pytest.mark.parametrize("status", AccountStatus)
async def test_only_an_account_that_may_send_gets_a_send(database: Database, status: AccountStatus) -> None:
    caller = await a_caller(database)
    async with database.transaction() as connection:
        await take_send(connection, number_key(caller, to="+447400123457"))
        await change_account(connection, caller.account_id, AccountChanges(status=status))

    async with database.transaction() as connection:
        taken = await take_send(connection, number_key(caller))

    assert (taken is not None) is (status in {AccountStatus.ACTIVE, AccountStatus.WARNED})
