"""Texts that a client of the token endpoint has: its id, its secret, and opaque access tokens.

`cs_secret_<8 id><32 secret><6 checksum>` and `cs_at_<40 random><6 checksum>`: like API keys they carry a checksum, so
that a scanner finds them and a look-alike costs no look-up, and only a keyed hash of them is stored.
"""

import re
from dataclasses import dataclass, field

from security.api_keys import CHECKSUM_LENGTH, checksum, digest_of, drawn

CLIENT_ID_LENGTH = 8
_SECRET, _TOKEN = "cs_secret_", "cs_at_"
_DRAWN = 40
_FORM = re.compile(r"cs_(secret|at)_[0-9A-Za-z]{46}")
_CLIENT_ID = re.compile(r"[0-9A-Za-z]{8}")
# A signed token begins with its header, which is a JSON object: `{"`, in base64.
_SIGNED = "eyJ"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A secret or a token just made. `text` is shown once and kept nowhere."""

    text: str = field(repr=False)
    digest: str


def new_client_id() -> str:
    """Return a fresh client id, of the same form as a key's."""
    return drawn(CLIENT_ID_LENGTH)


def make_secret(pepper: bytes, client_id: str) -> NewCredential:
    """Return a fresh secret of a client."""
    return _made(pepper, f"{_SECRET}{client_id}{drawn(_DRAWN - CLIENT_ID_LENGTH)}")


def make_token(pepper: bytes) -> NewCredential:
    """Return a fresh opaque access token: 238 random bits."""
    return _made(pepper, f"{_TOKEN}{drawn(_DRAWN)}")


def is_secret(text: str) -> bool:
    """Say whether a text can be a client's secret."""
    return text.startswith(_SECRET) and _is_whole(text)


def is_opaque_token(text: str) -> bool:
    """Say whether a text can be one of our opaque access tokens."""
    return text.startswith(_TOKEN) and _is_whole(text)


def is_meant_as_token(text: str) -> bool:
    """Say whether a credential is an access token rather than a key, genuine or not."""
    return text.startswith((_TOKEN, _SIGNED))


def is_client_id(text: str) -> bool:
    """Say whether a text has the form of a client's id."""
    return _CLIENT_ID.fullmatch(text) is not None


def client_id_in(secret: str) -> str:
    """Return the id inside a client's secret."""
    return secret[len(_SECRET) : len(_SECRET) + CLIENT_ID_LENGTH]


def _made(pepper: bytes, body: str) -> NewCredential:
    text = body + checksum(body)
    return NewCredential(text=text, digest=digest_of(pepper, text))


def _is_whole(text: str) -> bool:
    return _FORM.fullmatch(text) is not None and checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]
