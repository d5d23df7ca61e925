"""API keys of accounts: made and shown once, listed, ended."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import EVERY_SCOPE, USUAL_SCOPES, Scope
from domain.accounts import ApiKeyFacts
from domain.errors import NotFoundError
from domain.ids import new_id
from domain.statuses import Environment
from security.api_keys import digest_of, is_same, key_id_of, make_key
from security.keyring import KeyRing
from store import access_version
from store.accounts import find_account, insert_account
from store.api_keys import NewApiKey, find_key, insert_key, keys_of, revoke_key, set_request_rate
from store.engine import Database

DAY_S = 86_400
DEFAULT_DAYS, MAX_DAYS = 365, 730


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What a key is to be; `days` until it ends by itself, None for never, which only the command line may ask for."""

    environment: Environment
    name: str = ""
    scopes: frozenset[Scope] = USUAL_SCOPES
    allowlist: tuple[str, ...] = ()
    days: int | None = DEFAULT_DAYS
    requests_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key just made, with its text, which is shown this once and kept nowhere."""

    facts: ApiKeyFacts
    text: str = field(repr=False)


class ApiKeys:
    """Makes and ends keys. What is changed takes effect within a second on every process."""

    def __init__(self, *, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    async def make(self, account_id: UUID, request: KeyRequest) -> MadeKey:
        """Make a key of an account that exists."""
        async with self._database.transaction() as connection:
            return await self._insert(connection, account_id, request)

    async def list(self, *, account_id: UUID, environment: Environment) -> list[ApiKeyFacts]:
        """Return an account's keys in one environment, newest first, the ended ones too."""
        async with self._database.reading() as connection:
            return await keys_of(connection, account_id=account_id, environment=environment)

    async def revoke(self, key_id: str, *, account_id: UUID, environment: Environment) -> ApiKeyFacts:
        """End a key now.

        Raises:
            NotFoundError: the account has no live key with this id in this environment.

        """
        async with self._database.transaction() as connection:
            ended = await revoke_key(connection, key_id, account_id=account_id, environment=environment)
            if ended is None:
                raise NotFoundError("This account has no live key with this id in this environment.")
            await access_version.bump(connection)
        return ended

    async def demo_key(self, *, account: str, key: str | None, requests_per_s: int) -> str:
        """Return a working sandbox key of a named account: the one given if it still works, else a fresh one."""
        key_id = None if key is None else key_id_of(key)
        async with self._database.transaction() as connection:
            stored = None if key_id is None else await find_key(connection, key_id)
            if key is not None and stored is not None and is_same(stored.digest, digest_of(self._keys.api_keys, key)):
                await set_request_rate(connection, stored.caller.key_id, requests_per_s=requests_per_s)
                if stored.caller.scopes == EVERY_SCOPE:
                    return key
        return await self.sandbox_key(account=account, requests_per_s=requests_per_s)

    async def sandbox_key(self, *, account: str, requests_per_s: int | None) -> str:
        """Return a fresh sandbox key, of every scope, of a named account, which is made if there is none.

        For an installation's own account: the demonstration, the benchmarks and the drills.
        """
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
                await insert_account(connection, account_id, name=account)
            made = await self._insert(connection, account_id, request)
        return made.text

    async def _insert(self, connection: AsyncConnection, account_id: UUID, request: KeyRequest) -> MadeKey:
        fresh = make_key(self._keys.api_keys, environment=request.environment)
        facts = await insert_key(
            connection,
            NewApiKey(
                key_id=fresh.key_id,
                account_id=account_id,
                environment=request.environment,
                digest=fresh.digest,
                scopes=request.scopes,
                name=request.name,
                allowlist=request.allowlist,
                requests_per_s=request.requests_per_s,
                expires_in_s=None if request.days is None else request.days * DAY_S,
            ),
        )
        await access_version.bump(connection)
        return MadeKey(facts, fresh.text)
