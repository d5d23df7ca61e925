"""What operators prove themselves with: tokens of sessions and invitations, TOTP, recovery codes.

Tokens and recovery codes have 80 bits and more, so a fast keyed hash of them is stored. A TOTP secret has to be read
again, and is stored sealed.
"""

import io
import re
import secrets
from datetime import datetime
from hmac import compare_digest

import pyotp
import segno

from rules.second_factor import RECOVERY_ALPHABET, RECOVERY_CODES, STEP_S, WINDOW, step_of
from security.api_keys import digest_of
from security.keyring import KeyRing, derive

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN_LENGTH = 43
SESSION, INVITATION = "cs_ses_", "cs_inv_"
_FORMS = {prefix: re.compile(rf"{prefix}[0-9A-Za-z]{{{_TOKEN_LENGTH}}}") for prefix in (SESSION, INVITATION)}
_ISSUER = "Countersign"


class OperatorHashes:
    """Hashes what operators prove themselves with, under a key that nothing else is hashed with."""

    def __init__(self, keys: KeyRing) -> None:
        self._pepper = derive(keys.api_keys, info="countersign/operators/v1")

    def of_token(self, token: str, *, prefix: str) -> str | None:
        """Return what is stored of a token, or None for what cannot be one of this kind."""
        return digest_of(self._pepper, token) if _FORMS[prefix].fullmatch(token) else None

    def of_recovery_code(self, code: str) -> str:
        """Return what is stored of a recovery code."""
        return digest_of(self._pepper, f"recovery {code}")


def new_token(prefix: str) -> str:
    """Return a fresh token of 256 bits."""
    return prefix + "".join(secrets.choice(_BASE62) for _ in range(_TOKEN_LENGTH))


def new_recovery_codes() -> list[str]:
    """Return ten fresh codes of 80 bits, each in four groups."""
    return ["-".join(_group() for _ in range(4)) for _ in range(RECOVERY_CODES)]


def new_totp_secret() -> str:
    """Return a fresh secret of 160 bits in base32, as authenticator apps take it."""
    return pyotp.random_base32()


def matching_step(secret: str, code: str, *, at: datetime) -> int | None:
    """Return the newest step around a moment whose code this is, or None. Every step is compared, whatever is found."""
    totp, now, found = pyotp.TOTP(secret, interval=STEP_S), step_of(at), None
    for step in range(now - WINDOW, now + WINDOW + 1):
        if compare_digest(totp.generate_otp(step), code):
            found = step
    return found


def enrolment_uri(secret: str, *, email: str) -> str:
    """Return the `otpauth://` URI that an authenticator app is enrolled with."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=email, issuer_name=_ISSUER)


def qr_code(uri: str) -> str:
    """Return a URI as a QR code: an SVG image, with nothing in it that a strict content policy would refuse."""
    image = io.BytesIO()
    segno.make(uri, micro=False).save(image, kind="svg", scale=4, xmldecl=False, svgclass=None, lineclass=None)
    return image.getvalue().decode()


def _group() -> str:
    return "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(4))
