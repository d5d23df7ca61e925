"""How the codes of a verification are made: how long, from which counter, and how many are alive at once.

The secret itself is derived where it is needed (`security/codes.py`) and never stored.
"""

import re

DEFAULT_CODE_LENGTH = 6
# HOTP truncates to 31 bits (RFC 4226 §5.3): nine and ten digits would be biased.
MIN_CODE_LENGTH, MAX_CODE_LENGTH = 4, 8
# The three newest codes of a verification stay valid, because messages overtake one another (`product.md`).
LIVE_CODES = 3
# NIST SP 800-63B-4 §3.1.3.2: a code sent over the phone network lives at most ten minutes.
DEFAULT_TTL_S, MIN_TTL_S, MAX_TTL_S = 300, 30, 600

# [0-9], never \d: that takes Arabic and full-width digits too.
GUESS_PATTERN = r"^[0-9]{4,10}$"
_GUESS = re.compile(GUESS_PATTERN)

# The chance of guessing one number's code before it is locked, which no setting may exceed (`security.md` §1).
MAX_GUESS_PROBABILITY = 1e-4


def is_guess(text: str) -> bool:
    """Say whether a text could be a code at all; anything else is refused without being counted."""
    return _GUESS.fullmatch(text) is not None


def guess_probability(*, failures_cap: int, code_length: int) -> float:
    """Return the chance that somebody who only guesses proves one number before it is locked."""
    return failures_cap * LIVE_CODES / float(10**code_length)
