"""Accounts and who is calling: a key is looked up at most once a second, so a revoked one stops within that time."""

import time
from collections.abc import Callable

from domain.errors import UnauthenticatedError
from domain.facts import Caller
from domain.ids import new_id
from domain.statuses import Environment
from security.api_keys import digest_of, is_same, key_id_of, make_key
from security.keyring import KeyRing
from store.accounts import find_account, find_key, insert_account, insert_key, set_request_rate
from store.engine import Database

# `security.md` §4: revoked within one second on every node.
_REMEMBERED_S = 1.0
_REMEMBERED_AT_MOST = 10_000


class Accounts:
    """Makes accounts and keys, and says who calls with one."""

    def __init__(self, *, database: Database, keys: KeyRing, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._known: dict[str, tuple[float, Caller]] = {}

    async def who_calls(self, key: str) -> Caller:
        """Return the caller behind a key.

        Raises:
            UnauthenticatedError: the key is not one of ours, or no longer.

        """
        known = self._known.get(key)
        if known is not None and known[0] > self._clock():
            return known[1]
        caller = await self._look_up(key)
        if len(self._known) >= _REMEMBERED_AT_MOST:
            self._known.clear()
        self._known[key] = (self._clock() + _REMEMBERED_S, caller)
        return caller

    async def demo_key(self, *, account: str, key: str | None, requests_per_s: int) -> str:
        """Return a working sandbox key of a named account: the one given if it still works, else a fresh one."""
        key_id = None if key is None else key_id_of(key)
        async with self._database.transaction() as connection:
            stored = None if key_id is None else await find_key(connection, key_id)
            if key is not None and stored is not None and is_same(stored.digest, digest_of(self._keys.api_keys, key)):
                await set_request_rate(connection, stored.caller.key_id, requests_per_s=requests_per_s)
                return key
        return await self.sandbox_key(account=account, requests_per_s=requests_per_s)

    async def sandbox_key(self, *, account: str, requests_per_s: int | None) -> str:
        """Return a fresh sandbox key of a named account, which is made if there is none."""
        fresh = make_key(self._keys.api_keys, environment=Environment.SANDBOX)
        async with self._database.transaction() as connection:
            account_id = await find_account(connection, account)
            if account_id is None:
                account_id = new_id()
                await insert_account(connection, account_id, name=account)
            await insert_key(
                connection,
                fresh.key_id,
                account_id=account_id,
                environment=Environment.SANDBOX,
                digest=fresh.digest,
                requests_per_s=requests_per_s,
            )
        return fresh.text

    async def _look_up(self, key: str) -> Caller:
        key_id = key_id_of(key)
        stored = None
        if key_id is not None:
            async with self._database.reading() as connection:
                stored = await find_key(connection, key_id)
        if stored is None or not is_same(stored.digest, digest_of(self._keys.api_keys, key)):
            raise UnauthenticatedError("The API key is not known here. Keys begin with cs_test_ or cs_live_.")
        return stored.caller
