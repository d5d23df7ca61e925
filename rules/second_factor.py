"""The second factor of operators, and their passwords: how long what counts, and what is accepted. Pure.

Figures of `security.md`, section 5, and of NIST SP 800-63B-4: 3.1.1 for passwords, 2.2.3 for sessions, 3.2.2 for tries.
"""

import re
from datetime import datetime

# RFC 6238's own, and one step to either side for clocks that differ.
STEP_S, WINDOW = 30, 1
# ASCII digits: what Python calls a digit includes full-width and Arabic ones, which pyotp takes too.
TOTP_CODE = re.compile(r"[0-9]{6}")
# Crockford's alphabet, without letters that look like others: 16 of 32 are 80 bits.
RECOVERY_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RECOVERY_CODE = re.compile(rf"[{RECOVERY_ALPHABET}]{{4}}(?:-[{RECOVERY_ALPHABET}]{{4}}){{3}}")
RECOVERY_CODES = 10

STEP_UP_S = 300
IDLE_S, SESSION_S = 30 * 60, 12 * 3600
INVITATION_S = 72 * 3600
WRONG_CODES, WRONG_CODES_WITHIN_S = 5, 300

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
_FEWEST_DIFFERENT = 5


def step_of(moment: datetime) -> int:
    """Return the step of RFC 6238 that a moment lies in."""
    return int(moment.timestamp()) // STEP_S


def why_weak(password: str, *, email: str) -> str | None:
    """Return what is wrong with a password, or None; no mixture of characters is asked for."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
    if len(set(password)) < _FEWEST_DIFFERENT:
        return f"A password has {_FEWEST_DIFFERENT} different characters at least."
    if email.partition("@")[0] in password.lower():
        return "A password does not have the e-mail address in it."
    return None
