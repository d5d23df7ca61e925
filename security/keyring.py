"""The master key and what is derived from it: one key per use, so that no use can weaken another.

HKDF-SHA-256 (RFC 5869) with the use as `info`. The master key itself comes from the environment or a file; it is never
stored in the database, and what it is named (`kid`) goes beside everything made with it, so that it can be replaced.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from security.payloads import PayloadKeys

KEY_BYTES = 32
# A lookup key is cut to 128 bits: no collisions to speak of, half the index (`security.md` §2).
LOOKUP_HEX_DIGITS = 32


class BadKeyError(ValueError):
    """The master key is missing or not of the right form; the sentence says what is."""


def derive(master: bytes, *, info: str, salt: bytes = b"") -> bytes:
    """Return 32 bytes for one use. The same arguments give the same bytes on every machine."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt or None, info=info.encode()).derive(master)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The keys of this instance, all derived from one master key."""

    kid: str
    codes: bytes = field(repr=False)
    columns: bytes = field(repr=False)
    lookup: bytes = field(repr=False)
    api_keys: bytes = field(repr=False)
    payloads: PayloadKeys
    fingerprint: str

    def lookup_hash(self, value: str) -> str:
        """Return the keyed hash under which a personal value is found: 32 hex digits."""
        return hmac.new(self.lookup, value.encode(), hashlib.sha256).hexdigest()[:LOOKUP_HEX_DIGITS]


def key_ring(master_key: str) -> KeyRing:
    """Return the ring of a master key given as base64 of 32 bytes.

    Raises:
        BadKeyError: it is not that.

    """
    try:
        master = base64.b64decode(master_key, validate=True)
    except (binascii.Error, ValueError):
        master = b""
    if len(master) != KEY_BYTES:
        raise BadKeyError("The master key must be 32 random bytes in base64, as `openssl rand -base64 32` prints them.")
    # What a key is called must not help to guess it: a derived value, not a cut of the key.
    kid = derive(master, info="countersign/key-id/v1").hex()[:8]
    return KeyRing(
        kid=kid,
        codes=derive(master, info="countersign/codes/v1"),
        columns=derive(master, info="countersign/columns/v1"),
        lookup=derive(master, info="countersign/lookup/v1"),
        api_keys=derive(master, info="countersign/api-keys/v1"),
        payloads=PayloadKeys(newest=kid, by_kid={kid: derive(master, info="countersign/payloads/v1")}),
        fingerprint=derive(master, info="countersign/fingerprint/v1").hex(),
    )
