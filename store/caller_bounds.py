"""From where, and until when, a key or a client may be used: what bounds whatever it hands on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.oauth_tables import OAuthClient
from store.tables import ApiKey, table_of
from store.times import now

_key, _client = table_of(ApiKey), table_of(OAuthClient)
_BY_PREFIX = {"key": (_key, _key.c.key_id), "client": (_client, _client.c.client_id)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The networks of a credential, empty for any, and its end, None for never; by the database's time of reading."""

    read_at: datetime
    allowlist: tuple[str, ...] = ()
    ends_at: datetime | None = None


async def bounds_of(connection: AsyncConnection, actor: str) -> Bounds | None:
    """Return the bounds of an actor that is a key, or a client with one of its tokens; None for any other."""
    kind, _, name = actor.partition(":")
    if kind not in _BY_PREFIX:
        return None
    table, column = _BY_PREFIX[kind]
    query = select(table.c.allowlist, table.c.expires_at, now().label("read_at")).where(column == name)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Bounds(read_at=row.read_at, allowlist=tuple((row.allowlist or "").split()), ends_at=row.expires_at)
