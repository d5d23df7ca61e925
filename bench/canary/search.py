"""Finds digits in bytes: as they are, in base64 at any offset, in hex, in UTF-16. Pure, and blind by choice twice.

A number counts wherever its digits stand. A code, and the part of a number without its country code, counts when it is
all of a run of digits; so the thirteen digits of a moment in milliseconds hold no code by chance. Not looked at are the
digits of an id or a hash (a UUID; a hex word of sixteen or more, which is decoded instead) and fractions of a second.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.canary.needles import Needles

_RUN = re.compile(rb"(?<![0-9])[0-9]{4,}")
_FRACTION = re.compile(rb"(?<=:[0-9]{2}[.,])[0-9]+")
_UUID = rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_ID_OR_HASH = re.compile(_UUID + rb"|[0-9A-Fa-f]{16,}")
_HEX = re.compile(rb"[0-9A-Fa-f]{8,}")
_BASE64 = re.compile(rb"[0-9A-Za-z+/_-]{6,}")
_UTF16 = re.compile(rb"(?:[0-9]\x00){4,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something found: which kind of needle, which one, in which of the views."""

    kind: str
    needle: str
    view: str


def search(chunks: Iterable[bytes], needles: Needles) -> Counter[Hit]:
    """Return what was found in pieces of a place, and how often."""
    found: Counter[Hit] = Counter()
    lengths = sorted({len(each) for each in needles.numbers})
    for chunk in chunks:
        for view, data in _views(chunk):
            for run in _RUN.finditer(data):
                found.update(
                    Hit(kind=kind, needle=needle, view=view) for kind, needle in _in(run[0].decode(), needles, lengths)
                )
    return found


def _in(run: str, needles: Needles, lengths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield what a run of digits is, or has inside."""
    for kind, known in (("code", needles.codes), ("middle", needles.middles)):
        if run in known:
            yield kind, run
    # In front of a national number stands a nought, in its own country.
    for each in {run, run.removeprefix("0")}:
        if each in needles.nationals:
            yield "national", each
    for length in lengths:
        for at in range(len(run) - length + 1):
            if run[at : at + length] in needles.numbers:
                yield "number", run[at : at + length]


def _views(chunk: bytes) -> Iterator[tuple[str, bytes]]:
    # Digits alone are no hash.
    plain = _ID_OR_HASH.sub(lambda found: found[0] if found[0].isdigit() else b" ", chunk)
    plain = _FRACTION.sub(b"", plain)
    yield "as it is", plain
    yield "base64", b"\n".join(_decoded_base64(chunk))
    yield "hex", b"\n".join(_decoded_hex(chunk))
    yield "utf-16", b"\n".join(found[0].replace(b"\0", b"") for found in _UTF16.finditer(chunk))


def _decoded_base64(chunk: bytes) -> Iterator[bytes]:
    for found in _BASE64.finditer(chunk.translate(_URL_SAFE)):
        for offset in range(4):
            word = found[0][offset:]
            # Padded, because what is left over may hold the end of a needle; one character alone holds nothing.
            whole = word[:-1] if len(word) % 4 == 1 else word
            yield base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _decoded_hex(chunk: bytes) -> Iterator[bytes]:
    for found in _HEX.finditer(chunk):
        for offset in range(2):
            word = found[0][offset:]
            yield bytes.fromhex(word[: len(word) // 2 * 2].decode())
