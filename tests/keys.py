"""Keys for tests: a ring in memory, the same in every process, and a key management service inside the process."""

import asyncio
import hashlib
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import KeysUnavailableError
from security.key_encryption import KeyEncryption, LocalKey, WrongKeyError
from security.keychain import Keychain, KeyName, KeySource
from security.keyring import Key, KeyRing, KeyUse, Versions

_FIRST_KID_LENGTH = 32
MASTER_KEY = b64encode(bytes(range(32))).decode()


def a_master_key() -> str:
    """Return a fresh master key."""
    return b64encode(secrets.token_bytes(32)).decode()


@dataclass(slots=True)
class MemoryKeys:
    """A source of keys that needs no database: an account's first key is made of its id."""

    master: LocalKey
    more: list[Key] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def instance_keys(self) -> list[Key]:
        """Return the first version of each, and what was added."""
        self.asked.append("instance")
        return [*first_keys(self.master), *(key for key in self.more if key.account_id is None)]

    async def by_kid(self, kid: str) -> Key | None:
        """Return what was added under a name, or an account's first key."""
        self.asked.append(kid)
        # Others ask in the meantime, as they would of a database.
        await asyncio.sleep(0)
        added = next((key for key in self.more if key.kid == kid), None)
        return self.first_of(UUID(hex=kid)) if added is None and len(kid) == _FIRST_KID_LENGTH else added

    async def newest_of(self, account_id: UUID) -> Key:
        """Return the newest of an account's keys."""
        self.asked.append(account_id.hex)
        await asyncio.sleep(0)
        return max(
            [self.first_of(account_id), *(key for key in self.more if key.account_id == account_id)],
            key=lambda key: key.version,
        )

    async def added(self) -> list[KeyName]:
        """Return everything that was added."""
        self.asked.append("added")
        return [KeyName(kid=key.kid, use=key.use, account_id=key.account_id) for key in self.more]

    def first_of(self, account_id: UUID) -> Key:
        """Return an account's first key, which can be found again by its name."""
        secret = hashlib.sha256(self.master.inherited(KeyUse.DATA) + account_id.bytes).digest()
        return Key(kid=account_id.hex, use=KeyUse.DATA, version=1, account_id=account_id, secret=secret)

    def add(self, use: KeyUse, *, version: int, account_id: UUID | None = None) -> Key:
        """Add a key, as a rotation does."""
        key = Key(
            kid=secrets.token_hex(8),
            use=use,
            version=version,
            account_id=account_id,
            secret=secrets.token_bytes(32),
        )
        self.more.append(key)
        return key


def first_keys(master: LocalKey) -> list[Key]:
    """Return the first version of each of the instance's keys, as a database from before wrapped keys has them."""
    return [
        Key(
            kid=master.kid if use is KeyUse.COLUMNS else f"{use}-1",
            use=use,
            version=1,
            secret=master.inherited(use),
        )
        for use in KeyUse
        if use is not KeyUse.DATA
    ]


def memory_ring(source: KeySource, master: LocalKey) -> KeyRing:
    """Return a ring over a source."""
    keychain = Keychain(source, first_keys(master))
    return KeyRing(
        lookup=master.inherited(KeyUse.LOOKUP),
        api_keys=master.inherited(KeyUse.API_KEYS),
        audit_seed=master.inherited(KeyUse.AUDIT),
        codes=Versions(keychain, KeyUse.CODES),
        payloads=Versions(keychain, KeyUse.PAYLOADS),
        columns=Versions(keychain, KeyUse.COLUMNS),
        tokens=Versions(keychain, KeyUse.TOKENS),
        data=keychain,
    )


@dataclass(slots=True)
class Kms:
    """Behaves as a key management service does: keys have remote ids, calls take their time, and some fail."""

    latency_s: float = 0.0
    fails_next: int = 0
    calls: int = 0
    _keys: dict[str, bytes] = field(default_factory=dict)

    def create_key(self) -> str:
        """Make a key inside the service; return its id."""
        name = f"kms://eu-west-2/countersign/key-{len(self._keys) + 1}"
        self._keys[name] = secrets.token_bytes(32)
        return name

    async def encrypt(self, key_id: str, data: bytes, *, context: bytes) -> bytes:
        """Encrypt inside the service."""
        await self._answer()
        nonce = secrets.token_bytes(12)
        return nonce + AESGCM(self._keys[key_id]).encrypt(nonce, data, context)

    async def decrypt(self, key_id: str, blob: bytes, *, context: bytes) -> bytes:
        """Decrypt inside the service."""
        await self._answer()
        return AESGCM(self._keys[key_id]).decrypt(blob[:12], blob[12:], context)

    async def _answer(self) -> None:
        self.calls += 1
        await asyncio.sleep(self.latency_s)
        if self.fails_next:
            self.fails_next -= 1
            raise ConnectionError("throttled")


class KmsKey:
    """A key-encryption key that never leaves its service: what an operator's own adapter looks like."""

    def __init__(self, kms: Kms, key_id: str) -> None:
        self._kms = kms
        self.kid = key_id

    async def wrap(self, key: bytes, *, context: str) -> bytes:
        """Have the service encrypt a key."""
        try:
            return await self._kms.encrypt(self.kid, key, context=context.encode())
        except ConnectionError as error:
            raise KeysUnavailableError("The key management service does not answer.") from error

    async def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Have the service decrypt a key."""
        try:
            return await self._kms.decrypt(self.kid, wrapped, context=context.encode())
        except ConnectionError as error:
            raise KeysUnavailableError("The key management service does not answer.") from error
        except InvalidTag:
            raise WrongKeyError(f"{self.kid} did not wrap this key") from None


_source: type[KeySource] = MemoryKeys
_kms: type[KeyEncryption] = KmsKey
