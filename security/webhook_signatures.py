"""Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA-256 (`v1`) and Ed25519 (`v1a`).

What is signed is `{id}.{timestamp}.{body}`, the bytes of the body as they are sent. While a secret is being replaced,
each of the two gives a signature and the receiver takes the one it can verify. Verifying is the receiver's part.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import InvalidSecretError

# The specification's bounds; 32 is what a new one has.
SHORTEST_SECRET_BYTES, LONGEST_SECRET_BYTES = 24, 64
_NEW_SECRET_BYTES = 32
_ED25519_BYTES = 32
_SHARED, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
# No dot and no space: the one divides what is signed, the other the list of signatures.
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def new_secret() -> str:
    """Return a fresh shared secret, `whsec_…`."""
    return _SHARED + _b64(secrets.token_bytes(_NEW_SECRET_BYTES))


def new_private_key() -> str:
    """Return a fresh Ed25519 key, `whsk_…`; it stays here, and the receiver gets its `public_key`."""
    return _PRIVATE + _b64(secrets.token_bytes(_ED25519_BYTES))


def public_key(private_key: str) -> str:
    """Return what a receiver verifies with, `whpk_…`."""
    return _PUBLIC + _b64(_ed25519(private_key).public_key().public_bytes_raw())


def check_secret(secret: str) -> None:
    """Refuse a shared secret that an account brought when it is not of the accepted form.

    Raises:
        InvalidSecretError: it is not `whsec_` and 24 to 64 bytes in base64.

    """
    _hmac_key(secret)


def signed_headers(keys: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of one try; `timestamp` is the try's, in seconds, and `message_id` its event's."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, message_id=message_id, timestamp=timestamp, body=body),
    }


def sign(keys: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature for each key, in their order, with spaces between them.

    Raises:
        ValueError: there is no key, or the id has a character that could be read as part of something else.

    """
    if not keys or not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("a webhook needs a key, and an id of letters, digits, hyphens and underscores")
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(_signature(key, content) for key in keys)


def _signature(key: str, content: bytes) -> str:
    if key.startswith(_PRIVATE):
        return f"v1a,{_b64(_ed25519(key).sign(content))}"
    return f"v1,{_b64(hmac.digest(_hmac_key(key), content, 'sha256'))}"


def _hmac_key(secret: str) -> bytes:
    key = _bytes_after(_SHARED, secret)
    if not SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES:
        raise InvalidSecretError(
            f"A signing secret is {_SHARED} and {SHORTEST_SECRET_BYTES} to {LONGEST_SECRET_BYTES} random bytes in "
            f"base64, as `echo {_SHARED}$(openssl rand -base64 32)` prints it."
        )
    return key


def _ed25519(private_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes_after(_PRIVATE, private_key))


def _bytes_after(prefix: str, text: str) -> bytes:
    """Return what a key has after its prefix, or nothing where it is of another form."""
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True) if text.startswith(prefix) else b""
    except (binascii.Error, ValueError):
        return b""


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
