"""Wrapping keys anew after the key-encryption key was exchanged, and saying how the keys of a database stand."""

from collections import Counter
from dataclasses import dataclass

from domain.audit import AuditEntry
from security.key_encryption import KeyEncryptions
from security.keyring import KeyUse
from services.keys import new_key, unwrap
from services.resealing import Tell
from store.audit import record
from store.engine import Database
from store.key_rotation import RotationFacts, count_accounts, latest_rotation
from store.keys import WrappedRow, count_by_wrapping, instance_keys, rewrap, wrapped_by_others
from store.sealed import SEALED_COLUMNS, count_sealed_before

_AT_ONCE = 100


async def rewrap_keys(database: Database, kek: KeyEncryptions, *, tell: Tell) -> int:
    """Wrap with the current key-encryption key what earlier ones have wrapped; return how many keys that were.

    Safe to be killed anywhere and run again; nothing that the keys sealed is touched.

    Raises:
        WrongKeyError: a key was wrapped by a key-encryption key that is not here.
        KeysUnavailableError: a key management service does not answer.

    """
    async with database.reading() as connection:
        wrapped = await count_by_wrapping(connection)
    total = sum(wrapped.values()) - wrapped.get(kek.current.kid, 0)
    after, done = "", 0
    while True:
        async with database.reading() as connection:
            rows = await wrapped_by_others(connection, kek.current.kid, after=after, at_most=_AT_ONCE)
        if not rows:
            break
        fresh = [(row, await _wrapped_anew(kek, row)) for row in rows]
        async with database.transaction() as connection:
            for row, anew in fresh:
                done += await rewrap(connection, row, wrapped=anew.wrapped, wrapped_by=anew.wrapped_by)
        after = rows[-1].kid
        tell("keys wrapped anew", done, max(total, done))
    if done:
        async with database.transaction() as connection:
            await record(connection, _entry(kek, done))
    return done


async def _wrapped_anew(kek: KeyEncryptions, row: WrappedRow) -> WrappedRow:
    key = await unwrap(kek, row)
    return await new_key(
        kek.current, key.use, version=key.version, account_id=key.account_id, secret=key.secret, kid=key.kid
    )


def _entry(kek: KeyEncryptions, done: int) -> AuditEntry:
    details: dict[str, str | int | bool | None] = {"keys": done, "wrapped_by": kek.current.kid}
    return AuditEntry(
        account_id=None,
        environment=None,
        actor="operator:command-line",
        action="keys.rewrapped",
        subject=None,
        details=details,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """How the keys of a database stand.

    `wrapped_by`: how many keys each key-encryption key has wrapped. `versions`: the newest version of each use.
    `sealed_before`: how many values of each sealed column are sealed with another key than the newest.
    """

    wrapped_by: dict[str, int]
    versions: dict[KeyUse, int]
    accounts: int
    rotation: RotationFacts | None
    sealed_before: dict[str, int]


async def key_status(database: Database) -> KeyStatus:
    """Return how the keys of a database stand; no key is needed to tell."""
    async with database.reading() as connection:
        versions = Counter[KeyUse]()
        for row in await instance_keys(connection):
            versions[KeyUse(row.use)] = max(versions[KeyUse(row.use)], row.version)
        return KeyStatus(
            wrapped_by=await count_by_wrapping(connection),
            versions=dict(versions),
            accounts=await count_accounts(connection),
            rotation=await latest_rotation(connection),
            sealed_before={
                f"{each.table.name}.{each.column}": await count_sealed_before(connection, each)
                for each in SEALED_COLUMNS
            },
        )
