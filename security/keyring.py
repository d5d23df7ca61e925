"""The keys of an instance: one for each use, so that no use can weaken another, and in versions, so that each can go.

Every key is 32 random bytes, kept in the database wrapped by a key-encryption key (`security/key_encryption.py`), and
unwrapped in memory only. Those of a database from before that were derived from its master key; they stay as version 1.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
# A lookup key is cut to 128 bits: no collisions to speak of, half the index (`security.md` §2).
LOOKUP_HEX_DIGITS = 32


class KeyUse(StrEnum):
    """What a key is for. `data` keys belong to an account each, all others to the instance."""

    CODES = "codes"
    LOOKUP = "lookup"
    API_KEYS = "api-keys"
    PAYLOADS = "payloads"
    AUDIT = "audit"
    COLUMNS = "columns"
    TOKENS = "tokens"
    DATA = "data"


class UnknownKeyError(LookupError):
    """The database has no key of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One version of one key. `kid` names it beside what was made with it, and says nothing about it."""

    kid: str
    use: KeyUse
    version: int
    account_id: UUID | None = None
    secret: bytes = field(repr=False)


class Keys(Protocol):
    """Finds keys, in memory or in the database."""

    async def by_kid(self, kid: str) -> Key:
        """Return a key by its name, or raise `UnknownKeyError`."""
        ...

    async def of_account(self, account_id: UUID) -> Key:
        """Return the key that an account's data is sealed with now."""
        ...

    async def newest(self, use: KeyUse) -> Key:
        """Return the version of an instance's key that is used now."""
        ...

    async def version(self, use: KeyUse, number: int) -> Key:
        """Return one version of an instance's key, or raise `UnknownKeyError`."""
        ...

    async def reload(self) -> None:
        """Read the instance's keys anew."""
        ...

    def known(self, use: KeyUse) -> tuple[Key, ...]:
        """Return the versions of an instance's key that are in memory, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Versions:
    """One of the instance's keys in all its versions: the newest makes, every one still reads."""

    _keys: Keys = field(repr=False)
    _use: KeyUse

    async def newest(self) -> Key:
        """Return the version to make something with; at most seconds after a rotation, that is the new one."""
        return await self._keys.newest(self._use)

    async def version(self, number: int) -> Key:
        """Return the version of a number.

        Raises:
            UnknownKeyError: there is none.

        """
        return await self._keys.version(self._use, number)

    async def of(self, kid: str) -> Key:
        """Return the version of a name; one that this process does not know yet is loaded from the database.

        Raises:
            UnknownKeyError: there is none, or it is a key for something else.

        """
        key = await self._keys.by_kid(kid)
        if key.use is not self._use:
            raise UnknownKeyError(f"{kid} is no key for {self._use}")
        return key

    async def reload(self) -> None:
        """Read the instance's keys anew from the database."""
        await self._keys.reload()

    @property
    def known(self) -> Mapping[str, Key]:
        """Return the versions in memory by their names."""
        return MappingProxyType({key.kid: key for key in self._keys.known(self._use)})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """What use cases take: the keys that never change as bytes, the others as versions, the accounts' in `data`."""

    lookup: bytes = field(repr=False)
    api_keys: bytes = field(repr=False)
    audit_seed: bytes = field(repr=False)
    codes: Versions
    payloads: Versions
    columns: Versions
    tokens: Versions
    data: Keys = field(repr=False)

    def lookup_hash(self, value: str) -> str:
        """Return the keyed hash under which a personal value is found: 32 hex digits."""
        return hmac.digest(self.lookup, value.encode(), "sha256").hex()[:LOOKUP_HEX_DIGITS]


async def ring_of(keys: Keys) -> KeyRing:
    """Return the ring of an instance whose keys can be found."""
    return KeyRing(
        lookup=(await keys.version(KeyUse.LOOKUP, 1)).secret,
        api_keys=(await keys.version(KeyUse.API_KEYS, 1)).secret,
        audit_seed=(await keys.version(KeyUse.AUDIT, 1)).secret,
        codes=Versions(keys, KeyUse.CODES),
        payloads=Versions(keys, KeyUse.PAYLOADS),
        columns=Versions(keys, KeyUse.COLUMNS),
        tokens=Versions(keys, KeyUse.TOKENS),
        data=keys,
    )


def derive(key: bytes, *, info: str, salt: bytes = b"") -> bytes:
    """Return 32 bytes for one use. The same arguments give the same bytes on every machine (HKDF-SHA-256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt or None, info=info.encode()).derive(key)
