"""API keys: `cs_test_<8 id><32 secret><6 checksum>`, the id in clear, the rest stored as a keyed hash.

The checksum lets a scanner, and this server, tell a key from a look-alike without a look-up.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

from domain.statuses import Environment

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, CHECKSUM_LENGTH = 8, 32, 6
_PREFIXES = {Environment.SANDBOX: "cs_test_", Environment.PRODUCTION: "cs_live_"}
# Keys, and what clients of the token endpoint have (`security/client_credentials.py`): one form, one checksum.
KEY_PATTERN = r"cs_(?:test|live|secret|at)_[0-9A-Za-z]{46}"
_KEY = re.compile(r"cs_(?:test|live)_[0-9A-Za-z]{46}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made. `text` is shown once and kept nowhere."""

    key_id: str
    text: str = field(repr=False)
    digest: str


def make_key(pepper: bytes, *, environment: Environment, key_id: str | None = None) -> NewKey:
    """Return a fresh key of an environment; with an id that is given, another secret for it."""
    body = (key_id or drawn(_ID_LENGTH)) + drawn(_SECRET_LENGTH)
    text = f"{_PREFIXES[environment]}{body}"
    text += checksum(text)
    return NewKey(key_id=body[:_ID_LENGTH], text=text, digest=digest_of(pepper, text))


def key_id_of(text: str) -> str | None:
    """Return the id inside a key, or None for anything that cannot be one of ours."""
    if not _KEY.fullmatch(text) or checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return None
    start = len(_PREFIXES[Environment.SANDBOX])
    return text[start : start + _ID_LENGTH]


def digest_of(pepper: bytes, text: str) -> str:
    """Return what is stored of a key. A fast keyed hash suffices: the secret has 190 bits."""
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()


def is_same(stored: str, computed: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(stored, computed)


def drawn(length: int) -> str:
    """Return so many random characters, of 62."""
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def checksum(text: str) -> str:
    """Return the CRC-32 of a text as six base-62 digits."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, rest = divmod(number, len(_BASE62))
        digits = _BASE62[rest] + digits
    return digits
