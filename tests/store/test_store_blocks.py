"""Blocks: told once when they begin, with a reason, an end and what can be done; told once when they are over."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest
from jsonschema_rs import validator_for
from sqlalchemy import select

from api.event_reference import schema_of
from domain.event_types import EventType
from domain.events import Event
from domain.facts import Caller
from domain.statuses import AccountStatus, VerificationStatus
from services.accounts import Accounts
from services.sends import StartRequest
from services.verifications import Done
from store.block_tables import BlockRow
from store.blocks import forget_old_blocks, lift_what_is_over
from store.engine import Database
from store.guards import add_failures, read_guard
from store.tables import table_of
from store.verifications import conclude
from tests.building import a_caller, a_phone, a_verification, number_key, pass_time, use_cases, wrong_codes
from tests.store.test_store_events import events_of

A_DAY_S, A_LIFE_S, A_MONTH_S = 86_400, 600, 31 * 86_400
CAP = 30
SUSPENDED, RESTRICTED, ACTIVE = AccountStatus.SUSPENDED, AccountStatus.RESTRICTED, AccountStatus.ACTIVE


async def blocks_of(database: Database, caller: Caller) -> list[Event]:
    """Return what an account is told of blocks, each as its schema says."""
    told = [each for each in await events_of(database, caller) if each.type.startswith("block.")]
    for each in told:
        validator_for(schema_of(EventType(each.type))).validate(json.loads(each.body()))
    return told


async def types_of(database: Database, caller: Caller) -> list[str]:
    return [each.type.removeprefix("block.") for each in await blocks_of(database, caller)]


async def started(database: Database, caller: Caller, phone: str) -> UUID:
    done = await use_cases(database).verifications.start(caller, StartRequest(to=phone, ttl_s=A_LIFE_S))
    assert isinstance(done, Done)
    return done.view.facts.id


async def lock(database: Database, caller: Caller, phone: str) -> None:
    """Have a number locked by a last wrong code, after as many as the cap allows but one."""
    parts = use_cases(database)
    await parts.verifications.cancel(caller, await started(database, caller, phone))
    async with database.transaction() as connection:
        await add_failures(connection, number_key(caller, to=phone), more=CAP - 1, until=None, cap=CAP)
    await pass_time(database, caller, seconds=A_LIFE_S)
    verification = await started(database, caller, phone)
    await parts.checks.check(caller, verification, wrong_codes(verification)[0])


async def lift(database: Database) -> int:
    async with database.transaction() as connection:
        return await lift_what_is_over(connection)


async def test_the_wrong_code_that_locks_a_number_tells_of_the_block(database: Database) -> None:
    caller, phone = await a_caller(database), a_phone()

    await lock(database, caller, phone)

    (block,) = await blocks_of(database, caller)
    async with database.reading() as connection:
        guard = await read_guard(connection, number_key(caller, to=phone))
    assert guard is not None
    assert guard.locked_until is not None
    assert (
        block.data.items()
        >= {
            "rule": "failures_in_a_row",
            "reason": "too_many_wrong_codes",
            "country": "GB",
            "to": f"+44••••••{phone[-4:]}",
            "until": guard.locked_until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }.items()
    )
    assert guard.locked_until - guard.read_at > timedelta(seconds=A_DAY_S - 60)
    assert "/v1/verifications/unlock" in str(block.data["appeal"])
    assert [each.type for each in await events_of(database, caller)][-2:] == [
        "verification.max_attempts_reached",
        "block.created",
    ]


async def test_of_many_that_end_a_verification_one_tells_of_the_block(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller)
    await use_cases(database).checks.check(caller, facts.id, wrong_codes(facts.id)[0])
    async with database.transaction() as connection:
        await add_failures(connection, number_key(caller), more=CAP - 1, until=None, cap=CAP)

    async def end() -> None:
        async with database.transaction() as connection:
            await conclude(connection, facts.id, status=VerificationStatus.FAILED, reason="x", failures_cap=CAP)

    await asyncio.gather(*(end() for _ in range(8)))

    assert await types_of(database, caller) == ["created"]


async def test_a_number_that_is_not_locked_yet_is_no_block(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = await a_verification(database, caller)
    await parts.checks.check(caller, facts.id, wrong_codes(facts.id)[0])

    await parts.verifications.cancel(caller, facts.id)

    assert await blocks_of(database, caller) == []


async def test_a_lock_that_is_rolled_back_is_not_told(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller)
    await use_cases(database).checks.check(caller, facts.id, wrong_codes(facts.id)[0])

    async def locked_and_failed() -> None:
        async with database.transaction() as connection:
            await conclude(connection, facts.id, status=VerificationStatus.FAILED, reason="x", failures_cap=1)
            raise RuntimeError("at last")

    with pytest.raises(RuntimeError, match="at last"):
        await locked_and_failed()

    assert await blocks_of(database, caller) == []


async def test_whoever_lifts_a_lock_tells_of_it_once(database: Database) -> None:
    caller, phone = await a_caller(database), a_phone()
    await lock(database, caller, phone)

    unlocked = await asyncio.gather(*(use_cases(database).verifications.unlock(caller, phone) for _ in range(6)))

    created, lifted = await blocks_of(database, caller)
    assert unlocked == [True] * 6
    assert (lifted.type, lifted.data["lifted_by"]) == ("block.lifted", "account")
    assert lifted.data["block_id"] == created.data["block_id"]
    assert lifted.data["to"] == created.data["to"]


async def test_lifting_what_is_not_locked_tells_nothing(database: Database) -> None:
    caller, other, phone = await a_caller(database), await a_caller(database), a_phone()
    await lock(database, caller, phone)
    await started(database, other, phone)

    await use_cases(database).verifications.unlock(other, phone)
    await use_cases(database).verifications.unlock(caller, a_phone())

    assert await types_of(database, caller) == ["created"]
    assert await types_of(database, other) == []


async def test_a_block_whose_time_is_over_is_told_once_whoever_looks(database: Database) -> None:
    caller, phone = await a_caller(database), a_phone()
    await lock(database, caller, phone)
    await lift(database)
    assert await types_of(database, caller) == ["created"]
    await pass_time(database, caller, seconds=A_DAY_S)

    unlock = use_cases(database).verifications.unlock
    await asyncio.gather(lift(database), unlock(caller, phone), lift(database), unlock(caller, phone), lift(database))

    created, lifted = await blocks_of(database, caller)
    assert (lifted.type, lifted.data["lifted_by"]) == ("block.lifted", "time")
    assert lifted.data["block_id"] == created.data["block_id"]
    await started(database, caller, phone)


async def test_a_number_locked_anew_before_anybody_looked_is_another_block(database: Database) -> None:
    caller, phone = await a_caller(database), a_phone()
    await lock(database, caller, phone)
    await pass_time(database, caller, seconds=2 * A_DAY_S)

    await lock(database, caller, phone)
    await lift(database)

    first, over, second = await blocks_of(database, caller)
    assert [each.type for each in (first, over, second)] == ["block.created", "block.lifted", "block.created"]
    assert (over.data["lifted_by"], over.data["block_id"]) == ("time", first.data["block_id"])
    assert second.data["block_id"] != first.data["block_id"]


async def test_an_account_that_may_not_send_is_blocked_until_somebody_lets_it(database: Database) -> None:
    caller, accounts = await a_caller(database), Accounts(database=database)

    async def become(status: AccountStatus, reason: str | None) -> None:
        await accounts.set_status(caller.account_id, status, reason=reason, actor="operator:test")

    await asyncio.gather(*(become(SUSPENDED, "Unusual traffic.") for _ in range(4)))
    await become(RESTRICTED, None)
    await asyncio.gather(*(become(ACTIVE, None) for _ in range(4)))
    await become(RESTRICTED, None)
    await become(AccountStatus.CLOSED, "Over.")

    created, lifted, again = await blocks_of(database, caller)
    assert [each.type for each in (created, lifted, again)] == ["block.created", "block.lifted", "block.created"]
    assert (
        created.data.items()
        >= {
            "rule": "account_status",
            "reason": "Unusual traffic.",
            "to": None,
            "country": None,
            "until": None,
        }.items()
    )
    assert created.data["appeal"]
    assert (lifted.data["lifted_by"], lifted.data["block_id"]) == ("operator", created.data["block_id"])
    assert again.data["reason"] == "restricted"


async def test_a_warning_or_another_limit_blocks_nothing(database: Database) -> None:
    caller, accounts = await a_caller(database), Accounts(database=database)

    await accounts.set_status(caller.account_id, AccountStatus.WARNED, reason="Mind.", actor="operator:test")
    await accounts.change(caller.account_id, {"sends_per_day": 3}, actor="operator:test")

    assert await blocks_of(database, caller) == []


async def test_blocks_are_forgotten_when_their_events_are(database: Database) -> None:
    caller, gone, kept, held = await a_caller(database), a_phone(), a_phone(), a_phone()
    for phone in (gone, kept, held):
        await lock(database, caller, phone)
    unlock = use_cases(database).verifications.unlock
    await unlock(caller, gone)
    await pass_time(database, caller, seconds=A_MONTH_S)
    await unlock(caller, kept)

    async with database.transaction() as connection:
        await forget_old_blocks(connection)
        block = table_of(BlockRow)
        left = await connection.execute(select(block.c.subject).where(block.c.account_id == caller.account_id))
        subjects = set(left.scalars())

    assert subjects == {number_key(caller, to=phone)["of_number"] for phone in (kept, held)}
