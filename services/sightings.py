"""Where keys are used from: the hour of their last use, and an alarm when one is used from very many addresses.

Noted in memory on the request's path, and written beside it every few seconds: of a key its hour once, and its
addresses, as keyed hashes, only when this process alone has seen several of them within the hour. So the ordinary key,
used from a few servers, costs one statement an hour; and a leaked one is noticed over all processes together.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog

from domain.audit import SYSTEM, AuditEntry
from domain.errors import DatabaseUnavailableError
from domain.facts import Caller
from security.keyring import KeyRing
from store import audit, key_sightings
from store.engine import Database

# `security.md` §10, F23: fifty addresses within an hour raise the alarm, at most a minute after the fiftieth.
WIDE = 50
FLUSH_S = 10.0
# From this many on a process writes them down: fifty are found over a dozen processes, and ordinary keys write none.
SEVERAL = 5
_HOUR_S = 3600
_KEYS_AT_MOST = 10_000
_log = structlog.get_logger()


@dataclass(slots=True)
class _Seen:
    """What this process has seen of one key in one hour."""

    caller: Caller
    addresses: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    is_hour_written: bool = False


class Sightings:
    """Notes who calls from where, writes it down beside the requests, and raises the alarm."""

    def __init__(self, *, database: Database, keys: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._hour = int(clock()) // _HOUR_S
        self._seen: dict[str, _Seen] = {}

    def note(self, caller: Caller, address: str | None) -> None:
        """Remember that a key was used, and from where; nothing is written now."""
        seen = self._seen.get(caller.key_id)
        if seen is None:
            if len(self._seen) >= _KEYS_AT_MOST:
                return
            seen = self._seen[caller.key_id] = _Seen(caller)
        if address is not None and address not in seen.addresses and len(seen.addresses) < WIDE:
            seen.addresses.add(address)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write down what was noted, every few seconds for as long as the block lasts, and once more at its end."""
        task = asyncio.create_task(self._write_for_ever(), name="key sightings")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(DatabaseUnavailableError):
                await self.write()

    async def write(self) -> None:
        """Write down what is new, and raise the alarm for each key that was used from too many addresses.

        Raises:
            DatabaseUnavailableError: what is new stays noted for the next time.

        """
        hour = int(self._clock()) // _HOUR_S
        for seen in list(self._seen.values()):
            await self._write_one(seen, hour)
        if hour != self._hour:
            self._hour, self._seen = hour, {}

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            with suppress(DatabaseUnavailableError):
                await self.write()

    async def _write_one(self, seen: _Seen, hour: int) -> None:
        fresh = seen.addresses - seen.written if len(seen.addresses) >= SEVERAL else set[str]()
        if seen.is_hour_written and not fresh:
            return
        caller = seen.caller
        async with self._database.transaction() as connection:
            if not seen.is_hour_written and not _is_client(caller):
                await key_sightings.note_use(connection, caller.key_id, hour=hour)
            if fresh:
                hashes = [self._keys.lookup_hash(address) for address in sorted(fresh)]
                await key_sightings.add_addresses(connection, caller.key_id, hour=hour, hashes=hashes)
                count = await key_sightings.count_addresses(connection, caller.key_id, hour=hour)
                if count >= WIDE and await key_sightings.claim_alarm(connection, caller.key_id, hour=hour):
                    _log.error("key_used_widely", key_id=caller.key_id, addresses=count)
                    await audit.record(connection, _alarm(caller, count))
        seen.is_hour_written = True
        seen.written |= fresh


def _alarm(caller: Caller, count: int) -> AuditEntry:
    return AuditEntry(
        account_id=caller.account_id,
        environment=caller.environment,
        actor=SYSTEM,
        action="client.used_widely" if _is_client(caller) else "key.used_widely",
        subject=caller.key_id,
        details={"addresses": count},
    )


def _is_client(caller: Caller) -> bool:
    """Say whether it called with a token: a client's hour is noted when it gets one (`services/oauth_tokens.py`)."""
    return caller.actor.startswith("client:")
