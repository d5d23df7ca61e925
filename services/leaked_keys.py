"""Keys, secrets and tokens found where they should not be: whoever has one may have it ended, and learns nothing.

A client whose secret is out is revoked with all of its tokens; a token that is out ends alone.
"""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, AuditEntry
from domain.event_types import EventType
from security.api_keys import digest_of, is_same, key_id_of
from security.client_credentials import client_id_in, is_meant_as_token, is_secret
from security.keyring import KeyRing
from services.access_tokens import AccessTokens, FoundToken
from services.api_keys import key_entry, key_event
from services.oauth_clients import client_entry
from store import access_version
from store.api_keys import find_digest, find_key, revoke_key
from store.audit import record
from store.engine import Database
from store.events import emit
from store.oauth_clients import find_client, revoke_client
from store.oauth_tokens import delete_token, delete_tokens_of, deny


class LeakedKeys:
    """Ends what was reported as leaked."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        tokens: AccessTokens,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._tokens = tokens
        self._changed = changed

    async def report(self, text: str) -> None:
        """End what somebody has found, if it is one of ours and lives; say nothing about it either way."""
        if is_meant_as_token(text):
            await self._end_token(text)
        elif is_secret(text):
            await self._end_client(text)
        else:
            await self._end_key(text)

    async def _end_key(self, text: str) -> None:
        key_id = key_id_of(text)
        async with self._database.reading() as connection:
            digest = None if key_id is None else await find_digest(connection, key_id)
            is_ours = is_same(digest or "", digest_of(self._keys.api_keys, text))
            stored = await find_key(connection, key_id) if is_ours and key_id is not None else None
        if stored is None:
            return
        caller = stored.caller
        async with self._database.transaction() as connection:
            ended = await revoke_key(
                connection, caller.key_id, account_id=caller.account_id, environment=caller.environment
            )
            # Somebody else may just have reported it too.
            if ended is not None:
                await emit(connection, key_event(EventType.ACCOUNT_KEY_REVOKED, ended, reason="reported_as_leaked"))
                await _write(connection, key_entry("key.leak_reported", ended, SYSTEM, {}))
        self._changed()

    async def _end_client(self, text: str) -> None:
        async with self._database.reading() as connection:
            stored = await find_client(connection, client_id_in(text))
        if stored is None or not is_same(stored.digest or "", digest_of(self._keys.api_keys, text)):
            return
        facts = stored.facts
        async with self._database.transaction() as connection:
            ended = await revoke_client(
                connection, facts.client_id, account_id=facts.account_id, environment=facts.environment
            )
            if ended is not None:
                tokens = await delete_tokens_of(connection, facts.client_id)
                await _write(connection, client_entry("client.leak_reported", ended, SYSTEM, {"tokens": tokens}))
        self._changed()

    async def _end_token(self, text: str) -> None:
        found = await self._tokens.find(text)
        if found is None:
            return
        facts, digest = found.facts, digest_of(self._keys.api_keys, text)
        async with self._database.transaction() as connection:
            was_opaque = await delete_token(connection, digest, client_id=facts.client_id) is not None
            if was_opaque or await deny(connection, facts.token_id, until=facts.expires_at):
                await _write(connection, _token_entry(found))
        self._changed()


async def _write(connection: AsyncConnection, entry: AuditEntry) -> None:
    await access_version.bump(connection)
    await record(connection, entry)


def _token_entry(found: FoundToken) -> AuditEntry:
    return AuditEntry(
        account_id=found.caller.account_id,
        environment=found.caller.environment,
        actor=SYSTEM,
        action="token.leak_reported",
        subject=found.facts.client_id,
        details={"token": found.facts.token_id.hex},
    )
