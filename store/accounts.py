"""Accounts: how each stands, and its own limits. Whose keys they have is in `store/api_keys.py`."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.accounts import AccountChanges, AccountFacts
from domain.statuses import AccountStatus
from store.tables import Account, table_of
from store.times import fixed, now

_account = table_of(Account)
_BY_ID = select(_account).where(_account.c.id == bindparam("of_account"))

# SQLite has one writer at a time and leaves this out.
_HOLD = _BY_ID.with_for_update(key_share=True)


async def find_account(connection: AsyncConnection, name: str) -> UUID | None:
    """Return an account by its name."""
    return (await connection.execute(select(_account.c.id).where(_account.c.name == name))).scalar()


async def accounts_named(connection: AsyncConnection, name: str) -> list[AccountFacts]:
    """Return the accounts of a name, which need not be only one."""
    rows = await connection.execute(select(_account).where(_account.c.name == name).order_by(_account.c.id))
    return [account_facts(row) for row in rows]


async def read_account(connection: AsyncConnection, account_id: UUID) -> AccountFacts | None:
    """Return an account."""
    row = (await connection.execute(_BY_ID, {"of_account": account_id})).one_or_none()
    return None if row is None else account_facts(row)


async def hold_account(connection: AsyncConnection, account_id: UUID) -> AccountFacts | None:
    """Return an account, and keep others from holding it until this transaction ends; nobody else waits for it."""
    row = (await connection.execute(_HOLD, {"of_account": account_id})).one_or_none()
    return None if row is None else account_facts(row)


async def list_accounts(connection: AsyncConnection, *, limit: int, before: UUID | None = None) -> list[AccountFacts]:
    """Return accounts, newest first, those before one where it is given."""
    query = select(_account).order_by(_account.c.id.desc()).limit(limit)
    rows = await connection.execute(query if before is None else query.where(_account.c.id < before))
    return [account_facts(row) for row in rows]


async def insert_account(
    connection: AsyncConnection,
    account_id: UUID,
    *,
    name: str,
    plan: str = "standard",
    requests_per_s: int | None = None,
    sends_per_day: int | None = None,
) -> AccountFacts:
    """Insert an account, which is active."""
    values = {
        "id": account_id,
        "name": name,
        "status": AccountStatus.ACTIVE.value,
        "plan": plan,
        "requests_per_s": requests_per_s,
        "sends_per_day": sends_per_day,
    }
    query = insert(_account).values(**values, created_at=now()).returning(_account)
    return account_facts((await connection.execute(query)).one())


async def change_account(connection: AsyncConnection, account_id: UUID, changes: AccountChanges) -> AccountFacts | None:
    """Change an account; None, and nothing changed, when there is none or it is closed, which is for good."""
    query = (
        update(_account)
        .where(_account.c.id == account_id, _account.c.status != fixed(AccountStatus.CLOSED))
        .values(**changes)
        .returning(_account)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else account_facts(row)


async def remember_short_codes(connection: AsyncConnection, account_id: UUID) -> None:
    """Keep on the account that it chose codes under six digits, from the first time on."""
    query = update(_account).where(_account.c.id == account_id, _account.c.short_codes_since.is_(None))
    await connection.execute(query.values(short_codes_since=now()))


def account_facts(row: Any) -> AccountFacts:
    """Return the facts of a row of the account table."""
    return AccountFacts(
        id=row.id,
        name=row.name,
        status=AccountStatus(row.status),
        status_reason=row.status_reason,
        plan=row.plan,
        requests_per_s=row.requests_per_s,
        sends_per_day=row.sends_per_day,
        created_at=row.created_at,
    )
