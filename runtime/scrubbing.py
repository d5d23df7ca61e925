"""What is taken out of every line of a log: anything that looks like a number, a key, a token, a secret or a code.

A second line of defence, for what nobody foresaw: an exception that quotes a value, a library that logs a URL. Nothing
in the product hands a number, a key or a code to a log. So it may cost a port or a size, and does; what it must not
cost are ids, times, addresses of machines and places in the source, which a line is read for. Those keep their digits.
"""

import re
from collections.abc import Mapping
from typing import Any

# Digits in these are no number and no code. Tried first, so that nothing inside them is looked at.
_KEPT = (
    # A date, a time beside it, its zone.
    (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    ),
    # A UUID; a public id.
    r"(?<![0-9A-Za-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9A-Za-z])",
    r"\b[a-z]{2,8}_[0-9a-f]{32}\b",
    # An IPv4 address or a dotted host, with a port.
    r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?(?![0-9.])",
    r"\b(?:localhost|[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z]{2,}):[0-9]{1,5}(?![0-9])",
    # A place in a trace.
    r"\bline [0-9]+\b",
)
_TAKEN = {
    "key": r"\bcs_[a-z]+_[0-9A-Za-z]{8,}|\bwhsec_[0-9A-Za-z+/=_-]{8,}",
    "token": r"\b(?:Bearer|Basic)\s+[0-9A-Za-z._~+/=-]{4,}|\beyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*)?",
    # 32 bytes in base64, which the master key is; a password in a URL.
    "secret": r"(?<![0-9A-Za-z+/_-])[0-9A-Za-z+/_-]{43}=|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
    # E.164, whole or in part, as a URL has it, or with the marks that people write between digits.
    "number": r"(?:\+|%2B)[1-9][0-9]{3,}"
    r"|(?<![0-9A-Za-z_])(?:\+|00|\()?[0-9](?:[ ().-]{0,2}[0-9]){8,16}(?![0-9A-Za-z_])",
    "code": r"(?<![0-9A-Za-z_])[0-9]{4,}(?![0-9A-Za-z_])",
}
_GROUPS = [("kept", "|".join(_KEPT)), *_TAKEN.items()]
_PATTERN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _GROUPS))
# A whole number this long is no count and no status; a code in figures is in no field that is let through.
_FEWEST_OF_A_NUMBER = 10**6


def scrub(text: str) -> str:
    """Return a text with `(a number)`, `(a code)` and so on where it had something that looks like one."""
    return _PATTERN.sub(lambda found: found[0] if found.lastgroup == "kept" else f"(a {found.lastgroup})", text)


def scrubbed(value: Any) -> Any:
    """Return a value of a log's field, scrubbed all the way down; what is no plain value as its scrubbed text."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < _FEWEST_OF_A_NUMBER else "(a number)"
        case Mapping():
            return {scrub(str(name)): scrubbed(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrubbed(each) for each in value]
        case _:
            return scrub(str(value))
