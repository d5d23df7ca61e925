"""API keys: found by their id, told from another by a keyed hash, ended by a revocation or by their time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope, scopes_as_text, scopes_of
from domain.accounts import ApiKeyFacts
from domain.facts import Caller
from domain.statuses import AccountStatus, Environment
from store.makers import maker
from store.tables import Account, ApiKey, table_of
from store.times import now, now_plus

_account = table_of(Account)
_KEY_ACTOR = "key:"
_key = table_of(ApiKey)
_IS_LIVE = and_(_key.c.revoked_at.is_(None), or_(_key.c.expires_at.is_(None), _key.c.expires_at > now()))
_FIND = (
    select(
        _key,
        _account.c.name.label("account_name"),
        _account.c.status.label("account_status"),
        _account.c.requests_per_s.label("account_requests_per_s"),
        _account.c.sends_per_day,
        now().label("read_at"),
    )
    .join(_account, _account.c.id == _key.c.account_id)
    .where(_key.c.key_id == bindparam("of_key"), _IS_LIVE)
)
# A digest of some key where none has the id, so that a row is fetched and compared with in either case.
_DIGEST = select(
    func.coalesce(
        select(_key.c.digest).where(_key.c.key_id == bindparam("of_key"), _IS_LIVE).scalar_subquery(),
        select(_key.c.digest).order_by(_key.c.key_id).limit(1).scalar_subquery(),
    )
)
_OF_ACCOUNT = and_(_key.c.account_id == bindparam("of_account"), _key.c.environment == bindparam("of_environment"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A live key: what to compare with, and who calls when it is the same, from where, and for how long."""

    digest: str
    caller: Caller
    account_status: AccountStatus
    allowlist: tuple[str, ...]
    expires_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key about to get its row; its end is `ends_at`, or counted from the database's now, or never.

    `made_by` is an actor. Of a key that makes another one, the maker stays who made it: a person, in the end.
    """

    key_id: str
    account_id: UUID
    environment: Environment
    digest: str
    scopes: frozenset[Scope]
    name: str = ""
    allowlist: tuple[str, ...] = ()
    requests_per_s: int | None = None
    expires_in_s: int | None = None
    ends_at: datetime | None = None
    made_by: str | None = None


async def find_digest(connection: AsyncConnection, key_id: str) -> str | None:
    """Return what a key is compared with, whoever's it is; another one's digest where no live key has the id.

    Whether the key that fits lives is for `find_key` to say. None when there are no keys at all.
    """
    digest: str | None = (await connection.execute(_DIGEST, {"of_key": key_id})).scalar_one()
    return digest


async def find_key(connection: AsyncConnection, key_id: str) -> StoredKey | None:
    """Return a live key by its id, whoever's it is: for finding out who calls."""
    row = (await connection.execute(_FIND, {"of_key": key_id})).one_or_none()
    if row is None:
        return None
    caller = Caller(
        account_id=row.account_id,
        account_name=row.account_name,
        environment=Environment(row.environment),
        key_id=row.key_id,
        requests_per_s=row.requests_per_s,
        actor=f"{_KEY_ACTOR}{row.key_id}",
        scopes=scopes_of(row.scopes),
        account_requests_per_s=row.account_requests_per_s,
        sends_per_day=row.sends_per_day,
    )
    return StoredKey(
        digest=row.digest,
        caller=caller,
        account_status=AccountStatus(row.account_status),
        allowlist=tuple((row.allowlist or "").split()),
        expires_in_s=None if row.expires_at is None else (row.expires_at - row.read_at).total_seconds(),
    )


async def insert_key(connection: AsyncConnection, new: NewApiKey) -> ApiKeyFacts:
    """Insert a key."""
    values = {
        "key_id": new.key_id,
        "account_id": new.account_id,
        "environment": new.environment.value,
        "digest": new.digest,
        "scopes": scopes_as_text(new.scopes),
        "name": new.name,
        "allowlist": " ".join(new.allowlist) or None,
        "requests_per_s": new.requests_per_s,
        "made_by": maker(new.made_by),
    }
    counted = None if new.expires_in_s is None else now_plus(new.expires_in_s)
    expires_at = counted if new.ends_at is None else new.ends_at
    query = insert(_key).values(**values, created_at=now(), expires_at=expires_at).returning(_key)
    return key_facts((await connection.execute(query)).one())


async def set_request_rate(connection: AsyncConnection, key_id: str, *, requests_per_s: int | None) -> None:
    """Change how many requests a second a key may make."""
    await connection.execute(update(_key).where(_key.c.key_id == key_id).values(requests_per_s=requests_per_s))


async def keys_of(connection: AsyncConnection, *, account_id: UUID, environment: Environment) -> list[ApiKeyFacts]:
    """Return an account's keys in one environment, newest first, the ended ones too."""
    query = select(_key).where(_OF_ACCOUNT).order_by(_key.c.created_at.desc(), _key.c.key_id)
    whose = {"of_account": account_id, "of_environment": environment.value}
    return [key_facts(row) for row in await connection.execute(query, whose)]


async def revoke_key(
    connection: AsyncConnection, key_id: str, *, account_id: UUID, environment: Environment
) -> ApiKeyFacts | None:
    """End a key now; None when the account has no live key with this id in this environment."""
    query = update(_key).where(_key.c.key_id == key_id, _OF_ACCOUNT, _IS_LIVE).values(revoked_at=now()).returning(_key)
    whose = {"of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(query, whose)).one_or_none()
    return None if row is None else key_facts(row)


async def live_key_of(
    connection: AsyncConnection, key_id: str, *, account_id: UUID, environment: Environment
) -> ApiKeyFacts | None:
    """Return a live key of an account in one environment."""
    query = select(_key).where(_key.c.key_id == key_id, _OF_ACCOUNT, _IS_LIVE)
    whose = {"of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(query, whose)).one_or_none()
    return None if row is None else key_facts(row)


async def change_key(
    connection: AsyncConnection,
    key_id: str,
    *,
    account_id: UUID,
    environment: Environment,
    name: str | None,
    allowlist: tuple[str, ...] | None,
) -> ApiKeyFacts | None:
    """Change what is not None of a live key; None when the account has no such key in this environment."""
    changes = {} if name is None else {"name": name}
    to = changes if allowlist is None else {**changes, "allowlist": " ".join(allowlist) or None}
    query = update(_key).where(_key.c.key_id == key_id, _OF_ACCOUNT, _IS_LIVE).values(**to).returning(_key)
    whose = {"of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(query, whose)).one_or_none()
    return None if row is None else key_facts(row)


async def end_key(
    connection: AsyncConnection, key_id: str, *, account_id: UUID, environment: Environment, within_s: int
) -> ApiKeyFacts | None:
    """Let a live key end within some seconds, or before as it was to; None when the account has no such key."""
    is_later = or_(_key.c.expires_at.is_(None), _key.c.expires_at > now_plus(within_s))
    query = (
        update(_key)
        .where(_key.c.key_id == key_id, _OF_ACCOUNT, _IS_LIVE)
        .values(expires_at=case((is_later, now_plus(within_s)), else_=_key.c.expires_at))
        .returning(_key)
    )
    whose = {"of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(query, whose)).one_or_none()
    return None if row is None else key_facts(row)


def key_facts(row: Any) -> ApiKeyFacts:
    """Return the facts of a row of the key table, without what a key is compared with."""
    return ApiKeyFacts(
        key_id=row.key_id,
        account_id=row.account_id,
        environment=Environment(row.environment),
        name=row.name,
        scopes=scopes_of(row.scopes),
        allowlist=tuple((row.allowlist or "").split()),
        requests_per_s=row.requests_per_s,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
