"""Accounts and their keys."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import Caller
from domain.statuses import Environment
from store.tables import Account, ApiKey, table_of
from store.times import now

_account = table_of(Account)
_key = table_of(ApiKey)
_FIND = (
    select(_key, _account.c.name)
    .join(_account, _account.c.id == _key.c.account_id)
    .where(and_(_key.c.key_id == bindparam("of_key"), _key.c.revoked_at.is_(None)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key that is not revoked: what to compare with, and who calls when it is the same."""

    digest: str
    caller: Caller


async def find_key(connection: AsyncConnection, key_id: str) -> StoredKey | None:
    """Return a live key by its id."""
    row = (await connection.execute(_FIND, {"of_key": key_id})).one_or_none()
    if row is None:
        return None
    caller = Caller(
        account_id=row.account_id,
        account_name=row.name,
        environment=Environment(row.environment),
        key_id=row.key_id,
        requests_per_s=row.requests_per_s,
    )
    return StoredKey(digest=row.digest, caller=caller)


async def find_account(connection: AsyncConnection, name: str) -> UUID | None:
    """Return an account by its name."""
    return (await connection.execute(select(_account.c.id).where(_account.c.name == name))).scalar()


async def insert_account(connection: AsyncConnection, account_id: UUID, *, name: str) -> None:
    """Insert an account."""
    await connection.execute(insert(_account).values(id=account_id, name=name, created_at=now()))


async def insert_key(
    connection: AsyncConnection,
    key_id: str,
    *,
    account_id: UUID,
    environment: Environment,
    digest: str,
    requests_per_s: int | None,
) -> None:
    """Insert a key."""
    values = {
        "key_id": key_id,
        "account_id": account_id,
        "environment": environment.value,
        "digest": digest,
        "requests_per_s": requests_per_s,
    }
    await connection.execute(insert(_key).values(**values, created_at=now()))


async def set_request_rate(connection: AsyncConnection, key_id: str, *, requests_per_s: int | None) -> None:
    """Change how many requests a second a key may make."""
    await connection.execute(update(_key).where(_key.c.key_id == key_id).values(requests_per_s=requests_per_s))


async def remember_short_codes(connection: AsyncConnection, account_id: UUID) -> None:
    """Keep on the account that it chose codes under six digits, from the first time on."""
    query = update(_account).where(_account.c.id == account_id, _account.c.short_codes_since.is_(None))
    await connection.execute(query.values(short_codes_since=now()))
