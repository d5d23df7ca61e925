"""Encrypted columns: AES-256-GCM, bound to the row they stand in.

The associated data is `account|table|column|row`, so that a value copied into another row does not decrypt. What is
stored is `v1.<kid>.<nonce>.<ciphertext>`, the last two in URL-safe base64.
"""

import base64
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.keyring import KeyRing

_NONCE_BYTES = 12


class UndecryptableError(ValueError):
    """A stored value does not decrypt: another key, another row, or changed by hand."""


class ColumnCipher:
    """Encrypts and decrypts one column of one table."""

    def __init__(self, ring: KeyRing, *, table: str, column: str) -> None:
        self._aead = AESGCM(ring.columns)
        self._kid = ring.kid
        self._where = f"{table}|{column}"

    def encrypt(self, text: str, *, account_id: UUID, row: UUID) -> str:
        """Return the stored form of a text for one row."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, text.encode(), self._bound_to(account_id, row))
        return f"v1.{self._kid}.{_b64(nonce)}.{_b64(sealed)}"

    def decrypt(self, stored: str, *, account_id: UUID, row: UUID) -> str:
        """Return the text of a stored value.

        Raises:
            UndecryptableError: it was not made for this row with this key.

        """
        version, kid, nonce, sealed = _parts(stored)
        if (version, kid) != ("v1", self._kid):
            raise UndecryptableError(f"made with key {kid} in form {version}; this instance has key {self._kid}")
        try:
            opened = self._aead.decrypt(nonce, sealed, self._bound_to(account_id, row))
        except (InvalidTag, ValueError):
            raise UndecryptableError("the value does not belong to this row, or was changed") from None
        return opened.decode()

    def _bound_to(self, account_id: UUID, row: UUID) -> bytes:
        return f"{account_id.hex}|{self._where}|{row.hex}".encode()


def _parts(stored: str) -> tuple[str, str, bytes, bytes]:
    try:
        version, kid, nonce, sealed = stored.split(".")
        return version, kid, _unb64(nonce), _unb64(sealed)
    except ValueError:
        raise UndecryptableError("the value was not made by this cipher") from None


def key_id_of(stored: str) -> str:
    """Return which key a stored value was encrypted with."""
    return stored.split(".")[1]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
