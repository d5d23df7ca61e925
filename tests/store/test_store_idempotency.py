"""An Idempotency-Key is claimed by one request, in the transaction of what that request does."""

import asyncio
from collections import Counter
from contextlib import suppress

from domain.facts import Caller
from domain.ids import new_id
from store.engine import Database
from store.idempotency import RequestKey, claim, forget_old, keep_answer, read_request, release
from tests.building import a_caller, pass_time
from tests.store.crowd import Crowd
from tests.store.tasks import claim_ten_keys


def a_request(caller: Caller, *, key: str = "order-66") -> RequestKey:
    return RequestKey(account_id=caller.account_id, environment=caller.environment, key=key)


async def claimed(database: Database, request: RequestKey) -> bool:
    async with database.transaction() as connection:
        return await claim(connection, request, fingerprint="print", verification_id=new_id())


async def test_of_twenty_requests_at_once_one_gets_the_key(database: Database) -> None:
    caller = await a_caller(database)

    got = await asyncio.gather(*(claimed(database, a_request(caller)) for _ in range(20)))

    assert sum(got) == 1


async def test_of_several_processes_at_once_one_gets_each_key(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    caller = await a_caller(database)

    got = crowd.run(claim_ten_keys, url=database_url, argument=(caller, new_id()))

    assert Counter(at for each in got for at in each) == dict.fromkeys(range(10), 1)


async def test_a_request_that_failed_leaves_its_key_free(database: Database) -> None:
    caller = await a_caller(database)

    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await claim(connection, a_request(caller), fingerprint="print", verification_id=new_id())
            raise ZeroDivisionError

    assert await claimed(database, a_request(caller))


async def test_a_key_is_free_again_after_a_day(database: Database) -> None:
    caller = await a_caller(database)
    await claimed(database, a_request(caller))

    await pass_time(database, caller, seconds=86_390)
    within_the_day = await claimed(database, a_request(caller))
    await pass_time(database, caller, seconds=11)
    after_it = await claimed(database, a_request(caller))

    assert within_the_day is False
    assert after_it is True


async def test_a_released_key_is_free(database: Database) -> None:
    caller = await a_caller(database)
    await claimed(database, a_request(caller))

    async with database.transaction() as connection:
        await release(connection, a_request(caller))

    assert await claimed(database, a_request(caller))


async def test_the_kept_answer_is_read_word_for_word(database: Database) -> None:
    caller = await a_caller(database)
    await claimed(database, a_request(caller))

    async with database.statement() as connection:
        await keep_answer(connection, a_request(caller), status=201, answer='{"to": "+44••••••0123"}')
    async with database.reading() as connection:
        remembered = await read_request(connection, a_request(caller))

    assert remembered is not None
    assert (remembered.answer_status, remembered.answer) == (201, '{"to": "+44••••••0123"}')
    assert 0 <= remembered.age_s < 30


async def test_accounts_do_not_share_keys(database: Database) -> None:
    one, other = await a_caller(database), await a_caller(database)

    assert await claimed(database, a_request(one))
    assert await claimed(database, a_request(other))


async def test_upkeep_forgets_what_is_older_than_a_day(database: Database) -> None:
    caller = await a_caller(database)
    await claimed(database, a_request(caller, key="old"))
    await pass_time(database, caller, seconds=86_401)
    await claimed(database, a_request(caller, key="new"))

    async with database.transaction() as connection:
        await forget_old(connection)
        left = [await read_request(connection, a_request(caller, key=key)) for key in ("old", "new")]

    assert left[0] is None
    assert left[1] is not None
