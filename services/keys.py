"""The keys of a database: opened at a process's start, made where there are none, refused with the wrong KEK.

A database from before wrapped keys is taken over: what was derived from its master key is wrapped and stored as version
1, and nothing has to be encrypted again.
"""

import asyncio
import base64
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, AuditEntry, JsonScalar
from domain.errors import DatabaseUnavailableError, KeysUnavailableError
from security.columns import key_id_of
from security.key_encryption import KeyEncryption, KeyEncryptions, MissingKeyError, WrongKeyError, context_of
from security.keychain import Keychain, KeyName
from security.keyring import KEY_BYTES, Key, KeyRing, KeyUse, ring_of
from store.audit import record
from store.engine import Database
from store.keys import (
    WrappedRow,
    add_keys,
    added_since,
    database_time,
    find_key,
    instance_keys,
    is_empty,
    newest_key_of,
    newest_sealed_number,
)
from store.migrate import NotMigratedError, ensure_migrated

# How long a process waits at its start for a database that is away or still being migrated.
DATABASE_PATIENCE_S = 30.0
_KID_BYTES = 8
# How far a transaction may lag behind the moment that it stamped on what it added.
_OVERLAP = timedelta(seconds=60)
_LOOK_AGAIN_S = 0.2
# How often a key management service is asked again, and after how long.
_PAUSES_S = (0.1, 0.4, 1.0)
_ANSWERS_WITHIN_S = 5.0
_OF_INSTANCE = tuple(use for use in KeyUse if use is not KeyUse.DATA)
_WAYS = (
    "COUNTERSIGN_MASTER_KEY, COUNTERSIGN_MASTER_KEY_FILE, master.key in the state directory, or "
    "COUNTERSIGN_KEY_ENCRYPTION"
)


async def open_keys(database: Database, kek: KeyEncryptions | None, *, within_s: float = 0) -> KeyRing:
    """Return the keys of a database, made now if it has none; wait so long for it to be there and migrated.

    Raises:
        MissingKeyError, WrongKeyError: there is no key-encryption key, or it is not the one of this database.
        DatabaseUnavailableError, NotMigratedError: the database is still not there, or not migrated.
        KeysUnavailableError: the key management service does not answer.

    """
    await _until_there(database, within_s=within_s)
    async with database.reading() as connection:
        rows = await instance_keys(connection)
        began = await database_time(connection)
    if kek is None:
        raise await _missing(database, rows)
    if missing := [use for use in _OF_INSTANCE if use not in {row.use for row in rows}]:
        rows = await _make(database, kek, missing, is_first_start=not rows)
    source = StoredKeys(database, kek, since=began - _OVERLAP)
    return await ring_of(Keychain(source, await source.unwrap_all(rows)))


async def has_nothing_to_open(database: Database) -> bool:
    """Say whether nothing in a database needs a key, so that a fresh key-encryption key may be made for it."""
    async with database.reading() as connection:
        return await is_empty(connection)


class StoredKeys:
    """The keys in the database, unwrapped by the key-encryption keys that this process was given."""

    def __init__(self, database: Database, kek: KeyEncryptions, *, since: datetime) -> None:
        """Take the moment of the database's clock from which on keys may have been added unnoticed."""
        self._database = database
        self._kek = kek
        self._since = since

    async def instance_keys(self) -> list[Key]:
        """Return every version of every key of the instance."""
        async with self._database.aside() as connection:
            rows = await instance_keys(connection)
        return await self.unwrap_all(rows)

    async def by_kid(self, kid: str) -> Key | None:
        """Return a key by its name."""
        async with self._database.aside() as connection:
            row = await find_key(connection, kid)
        return None if row is None else await self._unwrap_for_a_request(row)

    async def newest_of(self, account_id: UUID) -> Key:
        """Return an account's newest key; it is made if there is none."""
        async with self._database.aside() as connection:
            row = await newest_key_of(connection, account_id)
        if row is None:
            fresh = await new_key(self._kek.current, KeyUse.DATA, version=1, account_id=account_id)
            async with self._database.transaction() as connection:
                row = await _add_first(connection, fresh)
        return await self._unwrap_for_a_request(row)

    async def added(self) -> list[KeyName]:
        """Return what was added since the last call, and a minute before: a transaction may commit late."""
        async with self._database.aside() as connection:
            found = await added_since(connection, self._since)
        self._since = found.read_at - _OVERLAP
        return [KeyName(kid=kid, use=KeyUse(of), account_id=account) for kid, of, account in found.rows]

    async def unwrap_all(self, rows: Iterable[WrappedRow]) -> list[Key]:
        """Return the keys of rows."""
        return [await unwrap(self._kek, row) for row in rows]

    async def _unwrap_for_a_request(self, row: WrappedRow) -> Key:
        try:
            return await unwrap(self._kek, row)
        except WrongKeyError as error:
            raise KeysUnavailableError(str(error)) from error


async def unwrap(kek: KeyEncryptions, row: WrappedRow) -> Key:
    """Return the key of a row.

    Raises:
        WrongKeyError: it was wrapped by a key-encryption key that is not here.
        KeysUnavailableError: the key management service does not answer.

    """
    wrapper = kek.named(row.wrapped_by)
    if wrapper is None:
        raise _wrong(row.wrapped_by, kek)
    context = context_of(kid=row.kid, use=KeyUse(row.use), version=row.version, account_id=row.account_id)
    wrapped = base64.urlsafe_b64decode(row.wrapped)
    for pause_s in (*_PAUSES_S, None):
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                secret = await wrapper.unwrap(wrapped, context=context)
            break
        except (KeysUnavailableError, TimeoutError) as error:
            if pause_s is None:
                raise KeysUnavailableError("The key management service does not answer.", retry_after_s=2) from error
            await asyncio.sleep(pause_s)
    return Key(kid=row.kid, use=KeyUse(row.use), version=row.version, account_id=row.account_id, secret=secret)


async def new_key(
    kek: KeyEncryption,
    use: KeyUse,
    *,
    version: int,
    account_id: UUID | None = None,
    secret: bytes | None = None,
    kid: str | None = None,
) -> WrappedRow:
    """Return a key to be stored: a random one, unless it is taken over."""
    kid = kid or secrets.token_hex(_KID_BYTES)
    context = context_of(kid=kid, use=use, version=version, account_id=account_id)
    wrapped = await kek.wrap(secret or secrets.token_bytes(KEY_BYTES), context=context)
    return WrappedRow(
        kid=kid,
        use=use.value,
        account_id=account_id,
        version=version,
        wrapped=base64.urlsafe_b64encode(wrapped).decode(),
        wrapped_by=kek.kid,
    )


async def _until_there(database: Database, *, within_s: float) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            return await ensure_migrated(database)
        except (DatabaseUnavailableError, NotMigratedError):
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _make(
    database: Database, kek: KeyEncryptions, missing: Sequence[KeyUse], *, is_first_start: bool
) -> list[WrappedRow]:
    """Store the first version of keys; of two processes that do it at once, both go on with those of the first."""
    async with database.reading() as connection:
        takes_over = is_first_start and not await is_empty(connection)
        sealed = await newest_sealed_number(connection) if takes_over else None
    if takes_over:
        fresh = await _inherited(kek, None if sealed is None else key_id_of(sealed))
    else:
        fresh = [await new_key(kek.current, use, version=1) for use in missing]
    async with database.transaction() as connection:
        await add_keys(connection, fresh)
        if takes_over:
            await record(connection, _taken_over(kek, fresh))
    async with database.reading() as connection:
        return await instance_keys(connection)


def _taken_over(kek: KeyEncryptions, fresh: list[WrappedRow]) -> AuditEntry:
    details: dict[str, JsonScalar] = {"keys": len(fresh), "wrapped_by": kek.current.kid}
    return AuditEntry(
        account_id=None, environment=None, actor=SYSTEM, action="keys.taken_over", subject=None, details=details
    )


async def _inherited(kek: KeyEncryptions, wanted: str | None) -> list[WrappedRow]:
    """Return the keys that the version before derived from its master key, which must be among ours."""
    master = kek.local(wanted)
    if master is None:
        raise _wrong(wanted or "of an earlier version", kek)
    return [
        await new_key(
            kek.current,
            use,
            version=1,
            secret=master.inherited(use),
            # Every value sealed before names it so.
            kid=master.kid if use is KeyUse.COLUMNS else None,
        )
        for use in _OF_INSTANCE
    ]


async def _add_first(connection: AsyncConnection, fresh: WrappedRow) -> WrappedRow:
    """Store an account's first key; return it, or the one that somebody else has just stored."""
    await add_keys(connection, [fresh])
    assert fresh.account_id is not None  # noqa: S101 - states the invariant for the reader and for mypy
    return await newest_key_of(connection, fresh.account_id) or fresh


async def _missing(database: Database, rows: list[WrappedRow]) -> MissingKeyError:
    async with database.reading() as connection:
        sealed = await newest_sealed_number(connection)
    wanted = rows[-1].wrapped_by if rows else sealed and key_id_of(sealed)
    which = f"This database wants key-encryption key {wanted}" if wanted else "A key-encryption key is needed"
    return MissingKeyError(f"{which}, and none was given: set one of {_WAYS}.")


def _wrong(wanted: str, kek: KeyEncryptions) -> WrongKeyError:
    given = ", ".join(each.kid for each in kek.all)
    return WrongKeyError(
        f"The keys in this database are wrapped by key-encryption key {wanted}, and what was given is {given}. Bring "
        f"the right one back ({_WAYS}), or name it in COUNTERSIGN_MASTER_KEYS_PREVIOUS: without it no number in the "
        "database can be read, and no API key works."
    )
