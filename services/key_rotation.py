"""Rotating keys while everything runs: new versions, a pause until all use them, and old values sealed anew.

Safe to be killed anywhere and run again: a rotation that was begun is gone on with, each account gets one new version,
each row is replaced in one conditional statement, and every version before stays, so that whatever is left opens.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.audit import AuditEntry
from security.key_encryption import KeyEncryptions
from security.keychain import LOOK_EVERY_S
from security.keyring import KeyUse
from services.keys import new_key, open_keys
from services.resealing import Resealing, Tell
from store.audit import record
from store.engine import Database
from store.key_rotation import (
    RotationFacts,
    accounts_behind,
    begin_rotation,
    count_accounts,
    finish_rotation,
    latest_rotation,
    unfinished_rotation,
)
from store.keys import WrappedRow, add_keys, instance_keys
from store.sealed import SEALED_COLUMNS

# Keys that can be exchanged: whatever was made with the version before can still be read, or lives for minutes only.
ROTATED = (KeyUse.CODES, KeyUse.PAYLOADS, KeyUse.COLUMNS, KeyUse.TOKENS)
# Longer than a process takes to notice what was added.
SETTLE_S = LOOK_EVERY_S + 5.0
# One transaction: short enough that nobody who waits for it notices.
_ACCOUNTS_AT_ONCE = 100
_FIRST = UUID(int=0)
_BY_COMMAND = "operator:command-line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did; `unreadable` are values that no key here opens, and that stay as they are."""

    rotation_id: int
    was_resumed: bool
    accounts: int
    values: int
    unreadable: int


class KeyRotations:
    """Rotates the keys of a database."""

    def __init__(self, *, database: Database, kek: KeyEncryptions, tell: Tell, settle_s: float = SETTLE_S) -> None:
        self._database = database
        self._kek = kek
        self._tell = tell
        self._settle_s = settle_s

    async def rotate(self) -> Rotated:
        """Give every key that can be exchanged a new version and seal every value anew, or go on with doing so.

        Raises:
            WrongKeyError, KeysUnavailableError: a key cannot be unwrapped; the rotation can be gone on with.

        """
        rotation, was_resumed = await self._begin()
        accounts = await self._renew_accounts(rotation)
        await self._settle()
        values = unreadable = 0
        # Opened now, it knows the new versions, and loads an account's newest as it comes to it.
        keys = await open_keys(self._database, self._kek)
        for column in SEALED_COLUMNS:
            sealing = Resealing(self._database, keys, column)
            await sealing.run(self._tell)
            values, unreadable = values + sealing.done, unreadable + sealing.unreadable
        result = Rotated(
            rotation_id=rotation.id, was_resumed=was_resumed, accounts=accounts, values=values, unreadable=unreadable
        )
        await self._finish(result)
        return result

    async def _begin(self) -> tuple[RotationFacts, bool]:
        async with self._database.reading() as connection:
            unfinished, latest = await unfinished_rotation(connection), await latest_rotation(connection)
            stored = await instance_keys(connection)
        if unfinished is not None:
            return unfinished, True
        fresh = [await new_key(self._kek.current, use, version=1 + _newest(stored, use)) for use in ROTATED]
        try:
            async with self._database.transaction() as connection:
                begun = await begin_rotation(connection, 1 if latest is None else latest.id + 1)
                await add_keys(connection, fresh)
        except IntegrityError:
            return await self._begin()
        return begun, False

    async def _renew_accounts(self, rotation: RotationFacts) -> int:
        async with self._database.reading() as connection:
            total = await count_accounts(connection)
        after, done = _FIRST, 0
        while True:
            async with self._database.reading() as connection:
                behind = await accounts_behind(connection, rotation.started_at, after=after, at_most=_ACCOUNTS_AT_ONCE)
            if not behind:
                self._tell("new keys for accounts", total, total)
                return done
            fresh = [await self._next_key(each.account_id, each.version) for each in behind]
            async with self._database.transaction() as connection:
                await add_keys(connection, fresh)
            after, done = behind[-1].account_id, done + len(behind)
            self._tell("new keys for accounts", done, total)

    async def _next_key(self, account_id: UUID, version: int) -> WrappedRow:
        return await new_key(self._kek.current, KeyUse.DATA, version=version + 1, account_id=account_id)

    async def _settle(self) -> None:
        """Wait until every process has noticed the new versions, so that none seals with the old one any more."""
        seconds = round(self._settle_s)
        for each in range(seconds):
            self._tell("waiting until all processes use them", each, seconds)
            await asyncio.sleep(1)
        self._tell("waiting until all processes use them", seconds, seconds)

    async def _finish(self, result: Rotated) -> None:
        details = {"rotation": result.rotation_id, "accounts": result.accounts, "values": result.values}
        entry = AuditEntry(
            account_id=None,
            environment=None,
            actor=_BY_COMMAND,
            action="keys.rotated",
            subject=None,
            details={**details, "unreadable": result.unreadable},
        )
        async with self._database.transaction() as connection:
            if await finish_rotation(connection, result.rotation_id):
                await record(connection, entry)


def _newest(stored: list[WrappedRow], use: KeyUse) -> int:
    """Return the newest version of a key; 0 for a use that is new with this program, and that nobody has used yet."""
    return max((row.version for row in stored if row.use == use), default=0)
