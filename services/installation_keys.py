"""Keys of an installation's own account: for the demonstration, benchmarks and drills. Never through the API."""

from domain.access import EVERY_SCOPE
from domain.audit import SYSTEM
from domain.ids import new_id
from domain.statuses import Environment
from security.api_keys import digest_of, is_same, key_id_of
from security.keyring import KeyRing
from services.accounts import account_entry
from services.api_keys import ApiKeys, KeyRequest
from store import access_version
from store.accounts import find_account, insert_account
from store.api_keys import find_key, set_request_rate
from store.audit import record
from store.engine import Database


class InstallationKeys:
    """Makes sandbox keys of every scope, that do not end, for accounts named on the spot."""

    def __init__(self, *, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys
        self._api_keys = ApiKeys(database=database, keys=keys)

    async def demo_key(self, *, account: str, key: str | None, requests_per_s: int) -> str:
        """Return a working sandbox key of a named account: the one given if it still works, else a fresh one."""
        key_id = None if key is None else key_id_of(key)
        async with self._database.transaction() as connection:
            stored = None if key_id is None else await find_key(connection, key_id)
            if key is not None and stored is not None and is_same(stored.digest, digest_of(self._keys.api_keys, key)):
                await set_request_rate(connection, stored.caller.key_id, requests_per_s=requests_per_s)
                await access_version.bump(connection)
                if stored.caller.scopes == EVERY_SCOPE:
                    return key
        return await self.sandbox_key(account=account, requests_per_s=requests_per_s)

    async def sandbox_key(self, *, account: str, requests_per_s: int | None) -> str:
        """Return a fresh sandbox key, of every scope, of a named account, which is made if there is none."""
        request = KeyRequest(
            environment=Environment.SANDBOX,
            name="demo",
            scopes=EVERY_SCOPE,
            days=None,
            requests_per_s=requests_per_s,
        )
        async with self._database.transaction() as connection:
            account_id = await find_account(connection, account)
            if account_id is None:
                account_id = new_id()
                made = await insert_account(connection, account_id, name=account)
                await record(connection, account_entry("account.created", made, SYSTEM, {"plan": made.plan}))
        return (await self._api_keys.make(account_id, request, actor=SYSTEM)).text
