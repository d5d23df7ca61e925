"""Keys that somebody has found where they should not be: whoever has the text may have it ended, and learns nothing."""

from collections.abc import Callable

from domain.audit import SYSTEM
from domain.event_types import EventType
from security.api_keys import digest_of, is_same, key_id_of
from security.keyring import KeyRing
from services.api_keys import key_entry, key_event
from store import access_version
from store.api_keys import find_digest, find_key, revoke_key
from store.audit import record
from store.engine import Database
from store.events import emit


class LeakedKeys:
    """Ends keys that were reported as leaked."""

    def __init__(self, *, database: Database, keys: KeyRing, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._keys = keys
        self._changed = changed

    async def report(self, text: str) -> None:
        """End a key whose text somebody has found, if it is one of ours and lives; say nothing about it either way."""
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
                await access_version.bump(connection)
                await emit(connection, key_event(EventType.ACCOUNT_KEY_REVOKED, ended, reason="reported_as_leaked"))
                await record(connection, key_entry("key.leak_reported", ended, SYSTEM, {}))
        self._changed()
