"""Key-encryption keys (KEKs): they wrap the keys in the database, and are themselves never in it.

One that this process holds is a `LocalKey`. One that a key management service holds is a class of the operator's own
with the three members of `KeyEncryption` (`docs/operations.md`, "A key management service").
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.keyring import KEY_BYTES, KeyUse, derive

_NONCE_BYTES = 12


class BadKeyError(ValueError):
    """A key-encryption key is not of the right form, or kept where others can read it; the sentence says what is."""


class MissingKeyError(RuntimeError):
    """No key-encryption key was given, and the database needs one; the sentence says which."""


class WrongKeyError(RuntimeError):
    """The key-encryption key is not this database's; the sentence says which it wants and which it was given."""


class KeyEncryption(Protocol):
    """Wraps and unwraps keys. `context` says whose and what for a key is, and must be the same both times.

    Raises:
        KeysUnavailableError: it does not answer now; the same call may work in a moment.
        WrongKeyError: what was wrapped was not wrapped by it, for this context.

    """

    @property
    def kid(self) -> str:
        """Return its name, at most 200 characters, which goes beside everything that it wrapped."""
        ...

    async def wrap(self, key: bytes, *, context: str) -> bytes:
        """Return the wrapped form of a key."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Return the key of a wrapped form."""
        ...


class LocalKey:
    """A key-encryption key in this process's memory, given as base64 of 32 bytes."""

    def __init__(self, master_key: str) -> None:
        """Take the text; `BadKeyError` when it is not 32 bytes in base64."""
        self._master = _bytes_of(master_key)
        # What a key is called must not help to guess it: a derived value, not a cut of the key.
        self.kid = derive(self._master, info="countersign/key-id/v1").hex()[:8]
        self._aead = AESGCM(derive(self._master, info="countersign/key-encryption/v1"))

    async def wrap(self, key: bytes, *, context: str) -> bytes:
        """Return nonce and ciphertext (AES-256-GCM), bound to the context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, context.encode())

    async def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        """Return the key, or raise `WrongKeyError`."""
        try:
            return self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise WrongKeyError(
                f"A key in the database ({context}) was not wrapped by {self.kid}, or was changed since."
            ) from None

    def inherited(self, use: KeyUse) -> bytes:
        """Return the key that versions before wrapped keys derived for a use: a database of theirs goes on with it."""
        return derive(self._master, info=f"countersign/{use}/v1")


_: type[KeyEncryption] = LocalKey


@dataclass(frozen=True, slots=True)
class KeyEncryptions:
    """The key-encryption key that wraps now, and earlier ones that still unwrap until `countersign keys rewrap` ran."""

    current: KeyEncryption
    previous: tuple[KeyEncryption, ...] = ()

    @property
    def all(self) -> tuple[KeyEncryption, ...]:
        """Return all of them, the current one first."""
        return (self.current, *self.previous)

    def named(self, kid: str) -> KeyEncryption | None:
        """Return the one of a name."""
        return next((each for each in self.all if each.kid == kid), None)

    def local(self, kid: str | None) -> LocalKey | None:
        """Return the one of a name that is in memory; the first that is, where no name is known."""
        local = [each for each in self.all if isinstance(each, LocalKey)]
        return next((each for each in local if kid in {None, each.kid}), None)


def context_of(*, kid: str, use: KeyUse, version: int, account_id: UUID | None) -> str:
    """Return what a wrapped key is bound to: moved to another use, account or version it does not unwrap."""
    return f"countersign|{use}|{'instance' if account_id is None else account_id.hex}|{version}|{kid}"


def _bytes_of(master_key: str) -> bytes:
    try:
        master = base64.b64decode(master_key, validate=True)
    except (binascii.Error, ValueError):
        master = b""
    if len(master) != KEY_BYTES:
        raise BadKeyError("A master key must be 32 random bytes in base64, as `openssl rand -base64 32` prints them.")
    return master
