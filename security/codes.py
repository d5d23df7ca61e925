"""Codes: derived when they are sent and again when they are checked, never stored.

HOTP (RFC 4226, by pyotp, with SHA-256) of a secret that HKDF makes from the instance's code key and the verification's
id, at the attempt's counter. A database dump holds neither.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

import pyotp

from security.keyring import derive


def code_for(key: bytes, *, verification_id: UUID, counter: int, length: int) -> str:
    """Return the code of one attempt: `length` decimal digits, leading zeros kept."""
    secret = derive(key, info="countersign/verification/v1", salt=verification_id.bytes)
    return pyotp.HOTP(base64.b32encode(secret).decode(), digits=length, digest=sha256).at(counter)


def proved_counter(
    key: bytes, guess: str, *, verification_id: UUID, counters: Iterable[int], length: int
) -> int | None:
    """Return the counter whose code was guessed, or None.

    Every counter is compared, in constant time each, so that the time taken does not say which one came near.
    """
    secret = base64.b32encode(derive(key, info="countersign/verification/v1", salt=verification_id.bytes)).decode()
    hotp = pyotp.HOTP(secret, digits=length, digest=sha256)
    proved = None
    for counter in counters:
        if hmac.compare_digest(hotp.at(counter).encode(), guess.encode()):
            proved = counter
    return proved
