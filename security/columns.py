"""Encrypted columns: AES-256-GCM, bound to the row they stand in.

The associated data is `account|table|column|row`, so that a value copied into another row does not decrypt. What is
stored is `v1.<kid>.<nonce>.<ciphertext>`, the last two in URL-safe base64. The key is the account's data key, or the
instance's for what belongs to no account; a person's value has a key of that person alone, made of the account's and a
random salt that stands elsewhere: once the salt is gone, no copy of the value opens again.
"""

import base64
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.keyring import Key, KeyRing, KeyUse, UnknownKeyError, derive

_NONCE_BYTES = 12


class UndecryptableError(ValueError):
    """A stored value does not decrypt: another key, another row, a person's salt gone, or changed by hand."""


class Sealer:
    """Seals and opens one column of one table."""

    def __init__(self, keys: KeyRing, *, table: str, column: str) -> None:
        self._keys = keys
        self._where = f"{table}|{column}"

    async def key_for(self, account_id: UUID | None) -> Key:
        """Return the key that values of an account, or of the instance, are sealed with now.

        Called before a transaction it sees to it that sealing inside needs no other connection.
        """
        return await (self._keys.columns.newest() if account_id is None else self._keys.data.of_account(account_id))

    async def seal(self, text: str, *, account_id: UUID | None, row: UUID, person: str | None = None) -> str:
        """Return the stored form of a text for one row; `person` is the salt of whom it is about, if it is personal."""
        key = await self.key_for(account_id)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = _cipher(key, person).encrypt(nonce, text.encode(), self._bound_to(account_id, row))
        return f"v1.{key.kid}.{_b64(nonce)}.{_b64(sealed)}"

    async def open(self, stored: str, *, account_id: UUID | None, row: UUID, person: str | None = None) -> str:
        """Return the text of a stored value; a key that this process does not know yet is loaded.

        Raises:
            UndecryptableError: it was not made for this row and person, or with a key that the database does not have.
            DatabaseUnavailableError, KeysUnavailableError: its key cannot be loaded now.

        """
        version, kid, nonce, sealed = _parts(stored)
        key = await self._key(version, kid, account_id)
        try:
            opened = _cipher(key, person).decrypt(nonce, sealed, self._bound_to(account_id, row))
        except (InvalidTag, ValueError):
            raise UndecryptableError(
                "the value does not belong to this row or person, its person's key is gone, or it was changed"
            ) from None
        return opened.decode()

    async def _key(self, version: str, kid: str, account_id: UUID | None) -> Key:
        if version != "v1":
            raise UndecryptableError(f"made in form {version}; this version reads v1")
        try:
            key = await self._keys.data.by_kid(kid)
        except UnknownKeyError as error:
            raise UndecryptableError(f"made with another instance's key: {error}") from None
        if key.use not in {KeyUse.COLUMNS, KeyUse.DATA} or key.account_id not in {None, account_id}:
            raise UndecryptableError(f"made with key {kid}, which is not for this account's columns")
        return key

    def _bound_to(self, account_id: UUID | None, row: UUID) -> bytes:
        return f"{'instance' if account_id is None else account_id.hex}|{self._where}|{row.hex}".encode()


def key_id_of(stored: str) -> str:
    """Return which key a stored value was sealed with."""
    return stored.split(".")[1]


def _cipher(key: Key, person: str | None) -> AESGCM:
    if key.use is KeyUse.COLUMNS:
        return AESGCM(key.secret)
    if person is None:
        return AESGCM(derive(key.secret, info="countersign/column/v1"))
    return AESGCM(derive(key.secret, info="countersign/person/v1", salt=bytes.fromhex(person)))


def _parts(stored: str) -> tuple[str, str, bytes, bytes]:
    try:
        version, kid, nonce, sealed = stored.split(".")
        return version, kid, _unb64(nonce), _unb64(sealed)
    except ValueError:
        raise UndecryptableError("the value was not made by this cipher") from None


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
