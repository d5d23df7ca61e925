"""Unwrapped keys in this process's memory, bounded; what is not there is loaded once, however many ask at a time.

Nothing is asked of the database while the keys are known, except every few seconds what has been added: so a rotation
is noticed, and until then the version before goes on being used, which everybody can read.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from domain.errors import DatabaseUnavailableError, KeysUnavailableError
from security.keyring import Key, Keys, KeyUse, UnknownKeyError

# How soon a process uses what a rotation added, if it met nothing made with it before. A rotation waits for longer.
LOOK_EVERY_S = 10.0
# Some 400 bytes each. Beyond it the account not used for longest is loaded again when it comes back.
REMEMBERED_ACCOUNTS = 20_000
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """A key that was added, without the key."""

    kid: str
    use: KeyUse
    account_id: UUID | None


class KeySource(Protocol):
    """Where keys come from."""

    async def instance_keys(self) -> list[Key]:
        """Return every version of every key of the instance."""
        ...

    async def by_kid(self, kid: str) -> Key | None:
        """Return a key by its name."""
        ...

    async def newest_of(self, account_id: UUID) -> Key:
        """Return an account's newest key; it is made if there is none."""
        ...

    async def added(self) -> list[KeyName]:
        """Return what was added since the last call."""
        ...


class Keychain:
    """Finds keys in memory, else in their source."""

    def __init__(
        self, source: KeySource, instance_keys: Iterable[Key], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._clock = clock
        self._look_at = clock() + LOOK_EVERY_S
        self._instance: dict[str, Key] = {key.kid: key for key in instance_keys}
        self._accounts: OrderedDict[str, Key] = OrderedDict()
        self._newest: OrderedDict[UUID, str] = OrderedDict()
        self._flights: dict[str, asyncio.Future[Any]] = {}

    async def by_kid(self, kid: str) -> Key:
        """Return a key by its name.

        Raises:
            UnknownKeyError: the database has none of this name.
            DatabaseUnavailableError, KeysUnavailableError: it cannot be loaded now.

        """
        key = self._instance.get(kid) or self._accounts.get(kid)
        return await self._once(kid, lambda: self._load(kid)) if key is None else key

    async def of_account(self, account_id: UUID) -> Key:
        """Return the key that an account's data is sealed with now.

        The first time in an account's life this writes, so it must be called before a transaction is opened; later, and
        after `services/keys.py` made the key with the account, it may be called anywhere.

        Raises:
            DatabaseUnavailableError, KeysUnavailableError: it cannot be loaded now.

        """
        await self._look()
        kid = self._newest.get(account_id)
        key = None if kid is None else self._accounts.get(kid)
        if key is None:
            return await self._once(account_id.hex, lambda: self._load_account(account_id))
        self._newest.move_to_end(account_id)
        self._accounts.move_to_end(key.kid)
        return key

    async def newest(self, use: KeyUse) -> Key:
        """Return the version of an instance's key that is used now."""
        await self._look()
        return self.known(use)[-1]

    async def version(self, use: KeyUse, number: int) -> Key:
        """Return one version of an instance's key.

        Raises:
            UnknownKeyError: there is none.

        """
        found = self._version(use, number)
        if found is None:
            await self.reload()
            found = self._version(use, number)
        if found is None:
            raise UnknownKeyError(f"the database has no version {number} of the key for {use}")
        return found

    async def reload(self) -> None:
        """Read the instance's keys anew; whoever asks meanwhile waits for the same reading."""
        await self._once("instance", self._load_instance)

    def known(self, use: KeyUse) -> tuple[Key, ...]:
        """Return the versions of an instance's key that are in memory, oldest first."""
        found = [key for key in self._instance.values() if key.use is use]
        return tuple(sorted(found, key=lambda key: key.version))

    def _version(self, use: KeyUse, number: int) -> Key | None:
        return next((key for key in self.known(use) if key.version == number), None)

    async def _load(self, kid: str) -> Key:
        key = await self._source.by_kid(kid)
        if key is None:
            raise UnknownKeyError(f"the database has no key {kid}")
        self._keep(key)
        return key

    async def _load_account(self, account_id: UUID) -> Key:
        key = await self._source.newest_of(account_id)
        self._keep(key)
        self._newest[account_id] = key.kid
        if len(self._newest) > REMEMBERED_ACCOUNTS:
            self._newest.popitem(last=False)
        return key

    async def _load_instance(self) -> None:
        for key in await self._source.instance_keys():
            self._keep(key)

    def _keep(self, key: Key) -> None:
        if key.account_id is None:
            self._instance[key.kid] = key
            return
        self._accounts[key.kid] = key
        if len(self._accounts) > REMEMBERED_ACCOUNTS:
            self._accounts.popitem(last=False)

    async def _look(self) -> None:
        """Ask what was added, every few seconds; whoever comes meanwhile goes on with what is known."""
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + LOOK_EVERY_S
        try:
            for name in await self._source.added():
                if name.account_id is not None:
                    self._newest.pop(name.account_id, None)
                elif name.kid not in self._instance:
                    await self.by_kid(name.kid)
        except (DatabaseUnavailableError, KeysUnavailableError):
            return  # what is known is still good; the source tells again what it told now

    async def _once(self, name: str, load: Callable[[], Awaitable[_Found]]) -> _Found:
        """Load something once for all who ask at a time; one who is cancelled does not take it from the others."""
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = asyncio.ensure_future(load())
            flight.add_done_callback(lambda _: self._flights.pop(name, None))
        found: _Found = await asyncio.shield(flight)
        return found


_: type[Keys] = Keychain
