"""Clients of the token endpoint: found by their id, listed and ended as their account's; assertions taken once."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope, scopes_as_text, scopes_of
from domain.oauth import ClientFacts, TokenFormat
from domain.statuses import AccountStatus, Environment
from store.makers import maker
from store.oauth_tables import OAuthClient, UsedAssertion
from store.tables import Account, table_of
from store.times import UtcDateTime, now, now_plus

_account, _client, _used = table_of(Account), table_of(OAuthClient), table_of(UsedAssertion)
IS_LIVE = and_(_client.c.revoked_at.is_(None), or_(_client.c.expires_at.is_(None), _client.c.expires_at > now()))
_OF_ACCOUNT = and_(
    _client.c.account_id == bindparam("of_account"), _client.c.environment == bindparam("of_environment")
)
_FIND = (
    select(_client, _account.c.status.label("account_status"), now().label("read_at"))
    .join(_account, _account.c.id == _client.c.account_id)
    .where(_client.c.client_id == bindparam("of_client"), IS_LIVE)
)
_NOTE_USE = (
    update(_client)
    .where(
        _client.c.client_id == bindparam("of_client"),
        _OF_ACCOUNT,
        or_(_client.c.last_used_at.is_(None), _client.c.last_used_at < bindparam("at", type_=UtcDateTime)),
    )
    .values(last_used_at=bindparam("at", type_=UtcDateTime))
)


def _take(insert_: Any) -> Any:
    return (
        insert_(_used)
        .values(
            client_id=bindparam("of_client"),
            jti_hash=bindparam("jti"),
            expires_at=bindparam("until", type_=UtcDateTime),
        )
        .on_conflict_do_nothing()
        .returning(_used.c.client_id)
    )


_TAKE = {"sqlite": _take(sqlite.insert), "postgresql": _take(postgresql.insert)}
_FORGET_USED = delete(_used).where(_used.c.expires_at < now())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClient:
    """A live client: what its proof is compared with, how its account stands, and the database's time of reading it."""

    facts: ClientFacts
    digest: str | None = field(repr=False)
    account_status: AccountStatus
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """A client about to get its row; its end is `ends_at`, or counted from the database's now, or never."""

    client_id: str
    account_id: UUID
    environment: Environment
    name: str
    scopes: frozenset[Scope]
    allowlist: tuple[str, ...]
    token_format: TokenFormat
    digest: str | None = field(default=None, repr=False)
    keys: str | None = None
    expires_in_s: int | None = None
    ends_at: datetime | None = None
    made_by: str | None = None


async def find_client(connection: AsyncConnection, client_id: str) -> StoredClient | None:
    """Return a live client by its id, whoever's it is: for finding out who asks."""
    row = (await connection.execute(_FIND, {"of_client": client_id})).one_or_none()
    if row is None:
        return None
    return StoredClient(
        facts=client_facts(row),
        digest=row.digest,
        account_status=AccountStatus(row.account_status),
        read_at=row.read_at,
    )


async def take_assertion(connection: AsyncConnection, client_id: str, *, jti_hash: str, until: datetime) -> bool:
    """Take an assertion of a client, once; False when it was taken before."""
    values = {"of_client": client_id, "jti": jti_hash, "until": until}
    return (await connection.execute(_TAKE[connection.dialect.name], values)).one_or_none() is not None


async def note_use(
    connection: AsyncConnection, client_id: str, *, account_id: UUID, environment: Environment, at: datetime
) -> None:
    """Note on a client that it was given a token in the hour of a moment; of an hour, once is enough."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    whose = {"of_account": account_id, "of_environment": environment.value}
    await connection.execute(_NOTE_USE, {"of_client": client_id, "at": hour, **whose})


async def insert_client(connection: AsyncConnection, new: NewClient) -> ClientFacts:
    """Insert a client."""
    values = {
        "client_id": new.client_id,
        "account_id": new.account_id,
        "environment": new.environment.value,
        "name": new.name,
        "digest": new.digest,
        "keys": new.keys,
        "scopes": scopes_as_text(new.scopes),
        "allowlist": " ".join(new.allowlist) or None,
        "token_format": new.token_format.value,
        "made_by": maker(new.made_by),
    }
    counted = None if new.expires_in_s is None else now_plus(new.expires_in_s)
    expires_at = counted if new.ends_at is None else new.ends_at
    query = insert(_client).values(**values, created_at=now(), expires_at=expires_at).returning(_client)
    return client_facts((await connection.execute(query)).one())


async def clients_of(connection: AsyncConnection, *, account_id: UUID, environment: Environment) -> list[ClientFacts]:
    """Return an account's clients in one environment, newest first, the ended ones too."""
    query = select(_client).where(_OF_ACCOUNT).order_by(_client.c.created_at.desc(), _client.c.client_id)
    whose = {"of_account": account_id, "of_environment": environment.value}
    return [client_facts(row) for row in await connection.execute(query, whose)]


async def revoke_client(
    connection: AsyncConnection, client_id: str, *, account_id: UUID, environment: Environment
) -> ClientFacts | None:
    """End a client now; None when the account has no live client with this id in this environment."""
    query = (
        update(_client)
        .where(_client.c.client_id == client_id, _OF_ACCOUNT, IS_LIVE)
        .values(revoked_at=now())
        .returning(_client)
    )
    whose = {"of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(query, whose)).one_or_none()
    return None if row is None else client_facts(row)


async def forget_used(connection: AsyncConnection) -> int:
    """Forget assertions whose time is over; return how many."""
    return int((await connection.execute(_FORGET_USED)).rowcount)


def client_facts(row: Any) -> ClientFacts:
    """Return the facts of a row of the client table, without what its secret is compared with."""
    return ClientFacts(
        client_id=row.client_id,
        account_id=row.account_id,
        environment=Environment(row.environment),
        name=row.name,
        scopes=scopes_of(row.scopes),
        allowlist=tuple((row.allowlist or "").split()),
        token_format=TokenFormat(row.token_format),
        keys=row.keys,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
