"""Codes: derived when they are sent and again when they are checked, never stored.

HOTP (RFC 4226, by pyotp, with SHA-256) of a secret that HKDF makes from the instance's code key and the verification's
id, at the attempt's counter. A database dump holds neither.
"""

import base64
import hmac
from collections.abc import Callable, Iterable
from hashlib import sha256
from uuid import UUID

import pyotp

from security.keyring import derive

# pyotp makes six digits at least. Fewer are the last ones of those: RFC 4226 takes one number modulo 10^length.
_FEWEST_DIGITS = 6


def code_for(key: bytes, *, verification_id: UUID, counter: int, length: int) -> str:
    """Return the code of one attempt: `length` decimal digits, leading zeros kept."""
    return _codes(key, verification_id=verification_id, length=length)(counter)


def proved_counter(
    key: bytes, guess: str, *, verification_id: UUID, counters: Iterable[int], length: int
) -> int | None:
    """Return the counter whose code was guessed, or None.

    Every counter is compared, in constant time each, so that the time taken does not say which one came near.
    """
    code_at = _codes(key, verification_id=verification_id, length=length)
    proved = None
    for counter in counters:
        if hmac.compare_digest(code_at(counter).encode(), guess.encode()):
            proved = counter
    return proved


def _codes(key: bytes, *, verification_id: UUID, length: int) -> Callable[[int], str]:
    """Return the codes of one verification by their counters."""
    secret = derive(key, info="countersign/verification/v1", salt=verification_id.bytes)
    hotp = pyotp.HOTP(base64.b32encode(secret).decode(), digits=max(length, _FEWEST_DIGITS), digest=sha256)
    return lambda counter: hotp.at(counter)[-length:]
