"""What a crowd's processes do: each task gets a database and one argument, and answers what can be pickled."""

import asyncio
from collections import Counter
from uuid import UUID

from domain.audit import AuditEntry
from domain.errors import CheckBudgetError, DomainError
from domain.facts import Caller
from domain.statuses import Environment
from services.wrong_checks import WrongCheckBudget
from store import audit, budgets
from store.checks import count_guess
from store.engine import Database
from store.guards import NumberKey, take_send
from store.idempotency import RequestKey, claim
from store.submissions import begin_submission
from tests.building import use_cases


async def take_ten_sends(database: Database, account_id: UUID) -> list[int]:
    """Ask for a send to each of ten numbers; return which were let through."""
    won = []
    for at in range(10):
        key = NumberKey(account_id=account_id, environment=Environment.SANDBOX, number_hash=f"{at:032x}")
        async with database.transaction() as connection:
            if await take_send(connection, key) is not None:
                won.append(at)
    return won


async def guess_25_times(database: Database, whose: tuple[Caller, UUID]) -> int:
    """Count 25 guesses at once; return how many may be compared."""
    caller, verification_id = whose

    async def guess() -> bool:
        async with database.transaction() as connection:
            counted = await count_guess(
                connection, verification_id, account_id=caller.account_id, environment=caller.environment
            )
        return counted is not None

    return sum(await asyncio.gather(*(guess() for _ in range(25))))


async def check_25_times(database: Database, what: tuple[Caller, UUID, str]) -> Counter[str]:
    """Check one code 25 times at once through the use case; return how often each answer came."""
    caller, verification_id, code = what
    checks = use_cases(database).checks

    async def check() -> str:
        try:
            outcome = await checks.check(caller, verification_id, code)
        except DomainError as refusal:
            return refusal.code
        return f"{outcome.valid} {outcome.view.facts.status_now}"

    return Counter(await asyncio.gather(*(check() for _ in range(25))))


async def take_50_of_a_budget(database: Database, what: tuple[str, int]) -> int:
    """Ask 50 times for one of a scope's budget; return how often it was given."""
    scope, limit = what

    async def take() -> bool:
        async with database.transaction() as connection:
            return await budgets.take(connection, scope=scope, hour=1, amount=1, limit=limit)

    return sum(await asyncio.gather(*(take() for _ in range(50))))


async def spend_50_wrong_guesses(database: Database, what: tuple[Caller, int]) -> int:
    """Guess wrong 50 times at once against an account's hourly budget; return how often that was allowed."""
    caller, limit = what
    budget = WrongCheckBudget(database, per_account=limit)

    async def guess() -> bool:
        try:
            async with budget.one_guess(caller) as spending:
                spending.was_wrong = True
        except CheckBudgetError:
            return False
        return True

    return sum(await asyncio.gather(*(guess() for _ in range(50))))


async def claim_ten_keys(database: Database, whose: tuple[Caller, UUID]) -> list[int]:
    """Claim ten Idempotency-Keys; return which were got."""
    caller, verification_id = whose
    won = []
    for at in range(10):
        key = RequestKey(account_id=caller.account_id, environment=caller.environment, key=f"order-{at}")
        async with database.transaction() as connection:
            if await claim(connection, key, fingerprint="print", verification_id=verification_id):
                won.append(at)
    return won


async def begin_all(database: Database, attempts: list[UUID]) -> list[int]:
    """Begin each of several submissions; return which were won."""
    won = []
    for at, attempt in enumerate(attempts):
        async with database.transaction() as connection:
            if await begin_submission(connection, attempt) is not None:
                won.append(at)
    return won


async def record_50_entries(database: Database, account_id: UUID) -> None:
    """Record 50 entries of one account at once."""
    entry = AuditEntry(
        account_id=account_id, environment=None, actor="system", action="account.changed", subject=None, details={}
    )

    async def record() -> None:
        async with database.transaction() as connection:
            await audit.record(connection, entry)

    await asyncio.gather(*(record() for _ in range(50)))
