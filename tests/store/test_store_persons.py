"""A person erased is gone from every copy: rows, answers, and what an old copy of the rows still holds."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import RowMapping, insert, select

from domain.errors import TooSoonError
from domain.facts import Caller, VerificationFacts
from security.columns import UndecryptableError
from services.idempotency import Repeatable
from services.sends import StartRequest
from services.verifications import Done
from store.engine import Database
from store.guards import take_send
from store.persons import shred_person
from store.starts import insert_verification
from store.tables import IdempotentRequest, NumberGuard, Verification, table_of
from store.verifications import read_verification
from tests.building import NUMBERS, PHONE, a_caller, a_new_row, a_verification, number_key, pass_time, use_cases

OTHER = "+447400123457"


async def opened(facts: VerificationFacts) -> str:
    return await NUMBERS.open(facts.number_sealed, account_id=facts.account_id, row=facts.id, person=facts.person_salt)


async def shred(database: Database, caller: Caller, *, to: str = PHONE) -> int:
    async with database.transaction() as connection:
        return await shred_person(connection, number_key(caller, to=to))


async def rows_of(database: Database, table: Any, caller: Caller) -> list[RowMapping]:
    async with database.reading() as connection:
        found = await connection.execute(select(table).where(table.c.account_id == caller.account_id))
        return list(found.mappings())


async def test_a_copy_of_the_rows_no_longer_opens_once_the_person_is_erased(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller)
    assert await opened(facts) == PHONE
    [copied] = await rows_of(database, table_of(Verification), caller)

    assert await shred(database, caller) == 1

    # The copy is put back, as somebody with an old copy of this table would.
    async with database.transaction() as connection:
        await connection.execute(insert(table_of(Verification)).values(**copied))
        restored = await read_verification(connection, facts.id)
    assert restored is not None
    with pytest.raises(UndecryptableError):
        await opened(restored)


async def test_nor_does_it_after_the_person_was_sent_another_message(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller)
    await shred(database, caller)
    await pass_time(database, caller, seconds=40)

    again = await a_verification(database, caller)

    assert await opened(again) == PHONE
    assert again.person_salt != facts.person_salt
    with pytest.raises(UndecryptableError):
        await NUMBERS.open(facts.number_sealed, account_id=facts.account_id, row=facts.id, person=again.person_salt)


async def test_others_of_the_account_and_the_number_elsewhere_stay(database: Database) -> None:
    caller, elsewhere = await a_caller(database), await a_caller(database)
    await a_verification(database, caller)
    others = [await a_verification(database, caller, to=OTHER), await a_verification(database, elsewhere)]

    await shred(database, caller)

    async with database.reading() as connection:
        for each in others:
            still = await read_verification(connection, each.id)
            assert still is not None
            assert await opened(still) in {PHONE, OTHER}


async def test_rows_and_remembered_answers_go_and_limits_stay(database: Database) -> None:
    caller = await a_caller(database)
    parts = use_cases(database)
    repeatable = Repeatable(key="key", fingerprint="print", render=lambda view: view.to)
    done = await parts.verifications.start(caller, StartRequest(to=PHONE), repeatable=repeatable)
    assert isinstance(done, Done)

    assert await shred(database, caller) == 1

    assert await rows_of(database, table_of(Verification), caller) == []
    assert await rows_of(database, table_of(IdempotentRequest), caller) == []
    [guard] = await rows_of(database, table_of(NumberGuard), caller)
    assert (guard["person_salt"], bool(guard["recent_sends"])) == (None, True)
    with pytest.raises(TooSoonError):
        await parts.verifications.start(caller, StartRequest(to=PHONE))


async def test_erasing_twice_or_nobody_changes_nothing(database: Database) -> None:
    caller = await a_caller(database)
    await a_verification(database, caller)
    await shred(database, caller)

    assert await shred(database, caller) == 0
    assert await shred(database, caller, to=OTHER) == 0


async def test_a_start_that_commits_meanwhile_is_never_left_with_a_number_that_cannot_be_read(
    database: Database,
) -> None:
    """Either the start is erased with the rest, or the erasure is told to try again, or the start came after it."""
    caller = await a_caller(database)
    has_sent = asyncio.Event()

    async def start() -> VerificationFacts:
        async with database.transaction() as connection:
            guard = await take_send(connection, number_key(caller))
            assert guard is not None
            has_sent.set()
            # Let the erasure come as far as it can while this transaction is open.
            for _ in range(50):
                await asyncio.sleep(0)
            new = await a_new_row(caller, person=guard.person_salt)
            await insert_verification(connection, new)
            return new.facts(person_salt=guard.person_salt)

    starting = asyncio.create_task(start())
    await has_sent.wait()
    outcome = (await asyncio.gather(shred(database, caller), return_exceptions=True))[0]
    started = await starting

    async with database.reading() as connection:
        left = await read_verification(connection, started.id)
    assert isinstance(outcome, TooSoonError) or outcome in {0, 1}
    if left is not None:
        assert await opened(left) == PHONE
