"""Requests made to be expensive, and what each may be answered."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MIB = 1024 * 1024
_BOMB = gzip.compress(bytes(50 * _MIB), 1)[:60_000]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One kind of request. `more` are its headers and body; None among the expected is a connection just closed."""

    name: str
    more: Callable[[], Iterator[bytes]]
    expected: frozenset[int | None]
    line: bytes = b"POST /v1/verifications HTTP/1.1\r\n"

    def parts(self, key: str) -> Iterator[bytes]:
        """Yield the request as bytes, with a key that is known."""
        yield self.line + b"Host: localhost\r\nContent-Type: application/json\r\n"
        yield b"Authorization: Bearer " + key.encode() + b"\r\n"
        yield from self.more()


def _declared(body: bytes, *, length: int | None = None) -> Iterator[bytes]:
    yield b"Content-Length: %d\r\n\r\n" % (length or len(body))
    yield body


def _declared_30_mib() -> Iterator[bytes]:
    yield b"Content-Length: %d\r\n\r\n" % (30 * _MIB)
    for _ in range(30 * 16):
        yield b" " * (_MIB // 16)


def _in_chunks(chunk: bytes, *, times: int, at_once: int = 1) -> Iterator[bytes]:
    yield b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in range(times // at_once):
        yield (b"%x\r\n" % len(chunk) + chunk + b"\r\n") * at_once
    yield b"0\r\n\r\n"


def _compressed() -> Iterator[bytes]:
    yield b"Content-Encoding: gzip\r\n"
    yield from _declared(_BOMB)


def _names(count: int) -> bytes:
    return b"{" + b",".join(b'"%d":0' % each for each in range(count)) + b"}"


def _endless_head() -> Iterator[bytes]:
    yield b"X-Long: "
    for _ in range(30 * 16):
        yield b"a" * (_MIB // 16)


FORMS = (
    # Whoever goes on sending long after the answer is cut off, and may not have heard it.
    Form(name="30 MiB declared", more=_declared_30_mib, expected=frozenset({413, None})),
    Form(
        name="30 MiB in chunks",
        more=lambda: _in_chunks(b" " * (_MIB // 16), times=30 * 16),
        expected=frozenset({413, None}),
    ),
    Form(name="deep lists", more=lambda: _declared(b"[" * 65_000), expected=frozenset({400})),
    Form(name="deep objects", more=lambda: _declared(b'{"a":' * 13_000), expected=frozenset({400})),
    Form(name="a million names", more=lambda: _declared(_names(1_000_000)), expected=frozenset({413, None})),
    Form(name="names up to the limit", more=lambda: _declared(_names(7_000)), expected=frozenset({422})),
    Form(name="a long number", more=lambda: _declared(b"9" * 65_000), expected=frozenset({400})),
    Form(name="a compressed bomb", more=_compressed, expected=frozenset({415})),
    Form(
        name="single bytes in chunks",
        more=lambda: _in_chunks(b" ", times=60_000, at_once=10_000),
        expected=frozenset({400}),
    ),
    Form(
        name="a head of 64 KiB",
        more=lambda: iter([b"X-Long: " + b"a" * 65_536 + b"\r\n\r\n"]),
        expected=frozenset({431}),
    ),
    Form(name="a head without end", more=_endless_head, expected=frozenset({431, None})),
    Form(
        name="ten thousand requests at once",
        line=b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10_000 + b"GET /livez HTTP/1.1\r\n",
        more=lambda: iter([b"\r\n"]),
        expected=frozenset({200, None}),
    ),
)
