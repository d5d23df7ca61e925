"""`python -m bench.chaos.recorder ACCOUNT`: take from a budget and record it, in one transaction, until killed."""

import asyncio
import sys
from uuid import UUID

from domain.audit import SYSTEM, AuditEntry
from runtime.settings import Settings
from store import audit, budgets
from store.engine import Database

# So far ahead that upkeep, which forgets the budgets of hours gone by, leaves it alone.
HOUR = 1_000_000_000
_AT_ONCE = 4


async def record_for_ever(database: Database, account_id: UUID) -> None:
    """Do one thing after another, each with its entry."""
    entry = AuditEntry(
        account_id=account_id, environment=None, actor=SYSTEM, action="account.changed", subject=None, details={}
    )
    while True:
        async with database.transaction() as connection:
            await budgets.take(connection, scope=scope_of(account_id), hour=HOUR, amount=1, limit=sys.maxsize >> 32)
            await audit.record(connection, entry)


def scope_of(account_id: UUID) -> str:
    """Return the budget that an account's recorders take from."""
    return f"chaos/{account_id.hex}"


async def run(account_id: UUID) -> None:
    """Record with several connections at once."""
    database = Database(Settings().database)
    print("recording", flush=True)
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(record_for_ever(database, account_id))


if __name__ == "__main__":
    asyncio.run(run(UUID(hex=sys.argv[1])))
