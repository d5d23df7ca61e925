"""Access tokens: who calls with one, whether it lives, and their end. Found by a keyed hash, or by a signed client id.

A token of a client that is revoked or has ended, or of a closed account, is none any more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope, scopes_as_text, scopes_of
from domain.facts import Caller
from domain.oauth import TOKEN_LIFETIME_S
from domain.statuses import AccountStatus, Environment
from store.oauth_clients import IS_LIVE
from store.oauth_tables import OAuthClient, OAuthToken, RevokedToken
from store.tables import Account, table_of
from store.times import UtcDateTime, now, now_plus

_account, _client = table_of(Account), table_of(OAuthClient)
_token, _revoked = table_of(OAuthToken), table_of(RevokedToken)
_WHO = (
    _client.c.client_id,
    _client.c.account_id,
    _client.c.environment,
    _client.c.allowlist,
    _client.c.expires_at.label("client_expires_at"),
    _account.c.name.label("account_name"),
    _account.c.status.label("account_status"),
    _account.c.requests_per_s.label("account_requests_per_s"),
    _account.c.sends_per_day,
    now().label("read_at"),
)
_FIND = (
    select(*_WHO, _token.c.id, _token.c.scopes, _token.c.issued_at, _token.c.expires_at)
    .join(_client, _client.c.client_id == _token.c.client_id)
    .join(_account, _account.c.id == _client.c.account_id)
    .where(_token.c.digest == bindparam("of_digest"), _token.c.expires_at > now(), IS_LIVE)
)
_FIND_SIGNED = (
    select(*_WHO, _client.c.scopes)
    .join(_account, _account.c.id == _client.c.account_id)
    .where(
        _client.c.client_id == bindparam("of_client"),
        IS_LIVE,
        ~exists().where(_revoked.c.id == bindparam("of_token")),
    )
)
_INSERT = insert(_token).values(
    digest=bindparam("of_digest"),
    id=bindparam("of_token"),
    client_id=bindparam("of_client"),
    scopes=bindparam("given"),
    issued_at=now(),
    expires_at=now_plus(TOKEN_LIFETIME_S),
)
_DELETE = (
    delete(_token)
    .where(_token.c.digest == bindparam("of_digest"), _token.c.client_id == bindparam("of_client"))
    .returning(_token.c.id)
)
_DELETE_ALL = delete(_token).where(_token.c.client_id == bindparam("of_client"))


def _deny(insert_: Any) -> Any:
    return (
        insert_(_revoked)
        .values(id=bindparam("of_token"), expires_at=bindparam("until", type_=UtcDateTime))
        .on_conflict_do_nothing()
        .returning(_revoked.c.id)
    )


_DENY = {"sqlite": _deny(sqlite.insert), "postgresql": _deny(postgresql.insert)}
_FORGET = delete(_token).where(_token.c.expires_at < now())
_FORGET_REVOKED = delete(_revoked).where(_revoked.c.expires_at < now())


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """Who calls with a token of a live client, from where they may, and the database's time of reading it."""

    caller: Caller
    allowlist: tuple[str, ...]
    account_status: AccountStatus
    client_expires_at: datetime | None
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A live opaque token."""

    holder: TokenHolder
    token_id: UUID
    issued_at: datetime
    expires_at: datetime


async def find_token(connection: AsyncConnection, digest: str) -> StoredToken | None:
    """Return a live opaque token by its digest, whoever's it is: for finding out who calls."""
    row = (await connection.execute(_FIND, {"of_digest": digest})).one_or_none()
    if row is None:
        return None
    return StoredToken(holder=_holder(row), token_id=row.id, issued_at=row.issued_at, expires_at=row.expires_at)


async def find_signed(connection: AsyncConnection, token_id: UUID, *, client_id: str) -> TokenHolder | None:
    """Return who calls with a signed token, unless it was revoked, or its client is no more."""
    row = (await connection.execute(_FIND_SIGNED, {"of_token": token_id, "of_client": client_id})).one_or_none()
    return None if row is None else _holder(row)


async def insert_token(
    connection: AsyncConnection, *, digest: str, token_id: UUID, client_id: str, scopes: frozenset[Scope]
) -> None:
    """Insert an opaque token, which lives from now on."""
    given = scopes_as_text(scopes)
    values = {"of_digest": digest, "of_token": token_id, "of_client": client_id, "given": given}
    await connection.execute(_INSERT, values)


async def delete_token(connection: AsyncConnection, digest: str, *, client_id: str) -> UUID | None:
    """End an opaque token of a client; return its id, or None when the client has no such token."""
    row = (await connection.execute(_DELETE, {"of_digest": digest, "of_client": client_id})).one_or_none()
    return None if row is None else row.id


async def delete_tokens_of(connection: AsyncConnection, client_id: str) -> int:
    """End every opaque token of a client; return how many."""
    return int((await connection.execute(_DELETE_ALL, {"of_client": client_id})).rowcount)


async def deny(connection: AsyncConnection, token_id: UUID, *, until: datetime) -> bool:
    """Let a signed token be refused until it would have ended; False when it is already."""
    values = {"of_token": token_id, "until": until}
    return (await connection.execute(_DENY[connection.dialect.name], values)).one_or_none() is not None


async def forget_old(connection: AsyncConnection) -> int:
    """Forget tokens that have ended, and revocations of such; return how many."""
    ended = (await connection.execute(_FORGET)).rowcount
    return int(ended + (await connection.execute(_FORGET_REVOKED)).rowcount)


def _holder(row: Any) -> TokenHolder:
    caller = Caller(
        account_id=row.account_id,
        account_name=row.account_name,
        environment=Environment(row.environment),
        key_id=row.client_id,
        actor=f"client:{row.client_id}",
        scopes=scopes_of(row.scopes),
        account_requests_per_s=row.account_requests_per_s,
        sends_per_day=row.sends_per_day,
    )
    return TokenHolder(
        caller=caller,
        allowlist=tuple((row.allowlist or "").split()),
        account_status=AccountStatus(row.account_status),
        client_expires_at=row.client_expires_at,
        read_at=row.read_at,
    )
