"""Who is calling: a key is looked up at most once a second, so a revoked one stops within that time."""

import time
from collections.abc import Callable

from domain.errors import AccountClosedError, UnauthenticatedError
from domain.facts import Caller
from domain.statuses import AccountStatus
from security.api_keys import digest_of, is_same, key_id_of
from security.keyring import KeyRing
from store.api_keys import find_key
from store.engine import Database

# `security.md` §4: revoked within one second on every node.
_REMEMBERED_S = 1.0
_REMEMBERED_AT_MOST = 10_000


class Callers:
    """Says who calls with a credential."""

    def __init__(self, *, database: Database, keys: KeyRing, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._known: dict[str, tuple[float, Caller]] = {}

    async def who_calls(self, key: str) -> Caller:
        """Return the caller behind a key.

        Raises:
            UnauthenticatedError: the key is not one of ours, or no longer.
            AccountClosedError: it is, of an account that is closed.

        """
        known = self._known.get(key)
        if known is not None and known[0] > self._clock():
            return known[1]
        caller = await self._look_up(key)
        if len(self._known) >= _REMEMBERED_AT_MOST:
            self._known.clear()
        self._known[key] = (self._clock() + _REMEMBERED_S, caller)
        return caller

    async def _look_up(self, key: str) -> Caller:
        key_id = key_id_of(key)
        stored = None
        if key_id is not None:
            async with self._database.reading() as connection:
                stored = await find_key(connection, key_id)
        if stored is None or not is_same(stored.digest, digest_of(self._keys.api_keys, key)):
            raise UnauthenticatedError(
                "The API key is not known here. Keys begin with cs_test_ or cs_live_.",
                challenge={"error": "invalid_token"},
            )
        if stored.account_status is AccountStatus.CLOSED:
            raise AccountClosedError("This account is closed; nothing works with its keys.")
        return stored.caller
