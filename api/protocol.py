"""One connection of the API: uvicorn's HTTP protocol, which here waits only so long and reads only so much.

What uvicorn leaves open is closed here: a head or a body that never comes to its end, a head without end, an answer
that nobody reads, more connections than there is room for. What is no HTTP is refused as a problem document. A request
that is whole when it arrives costs no clock and no timer: one look a second at all connections finds the late ones.
"""

import asyncio
import math
from typing import Any
from weakref import WeakSet

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.headers import safe_headers
from api.problems import problem
from domain.errors import DomainError
from domain.request_errors import (
    BadRequestError,
    HeadTooLargeError,
    RequestTimeoutError,
    TooManyConnectionsError,
)

# Seconds that the whole head may take from the moment of connecting or of its first byte, and then the whole body.
HEAD_S, BODY_S = 10.0, 10.0
# Seconds within which a client must take what it was sent, or as much of it as was waiting.
TAKE_S = 10.0
MAX_HEAD_BYTES, MAX_HEADERS = 16 * 1024, 100
# Requests that a client may have sent ahead of an answer.
MAX_AHEAD = 16
_LOOK_EVERY_S = 1.0
# A client that is cut off while it sends does not hear why; so for a moment what it still sends is dropped.
_LINGER_S, _LINGER_BYTES = 1.0, 1024 * 1024
# How far a request has arrived. Numbers, because members of an `Enum` are slow to look up on Python 3.11.
_WAITING, _HEAD, _BODY, _WHOLE = range(4)
_NOT_HTTP = "This is not a request that HTTP/1.1 allows; the connection is closed."


class _StopParsingError(Exception):
    """Raised through the parser, which then hands over to `send_400_response`."""


class _NoTrailers(list[tuple[bytes, bytes]]):
    """Stands where the headers were, once they are complete: a trailer is no header of a request under way."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        raise _StopParsingError


_NO_TRAILERS = _NoTrailers()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits of time and size. uvicorn's `limit_concurrency` counts connections here."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn would answer in plain text, and only once there is a request.
        self._room, self.limit_concurrency = self.limit_concurrency, None
        self._phase = _WAITING
        self._due = self._take_due = math.inf
        self._chunk_bytes = self._unclaimed_bytes = self._head_bytes = self._dropped_bytes = 0
        self._refusal: DomainError = BadRequestError(_NOT_HTTP)
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for a request; one connection too many is told so."""
        super().connection_made(transport)
        self._due = self.loop.time() + HEAD_S
        _watch(self.server_state, self.loop)
        if self._room is not None and len(self.connections) > self._room:
            self._refuse(
                TooManyConnectionsError("This process has as many connections as it takes.", retry_after_s=1),
                is_lingering=False,
            )

    def data_received(self, data: bytes) -> None:
        """Read on, as far as may be."""
        size = len(data)
        if self._is_refused:
            self._drop(size)
            return
        self._chunk_bytes = self._unclaimed_bytes = size
        if self._phase == _HEAD:
            self._head_bytes += size
        super().data_received(data)
        if self._phase != _WHOLE or self.cycle.response_complete:
            self._wait_for_the_rest()

    def on_message_begin(self) -> None:
        """Begin a head. What a chunk held before it is not its own."""
        self._phase = _HEAD
        self._head_bytes, self._unclaimed_bytes = self._unclaimed_bytes, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let the application have the request, if its head is one."""
        refusal = self._head_refusal()
        if refusal is not None:
            self._refusal = refusal
            raise _StopParsingError
        super().on_headers_complete()
        self._phase, self._due = _BODY, math.inf
        self.headers = _NO_TRAILERS
        if self.parser.should_upgrade():
            # The parser reads no further, and a body would be taken for the next request.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Stop waiting: the rest is ours."""
        self._phase, self._due, self._unclaimed_bytes = _WHOLE, math.inf, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence
        """Refuse what the parser would not take."""
        self._refuse(self._refusal)

    def pause_writing(self) -> None:
        """Note that the client does not take what it asked for."""
        self._take_due = self.loop.time() + TAKE_S
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it does."""
        self._take_due = math.inf
        super().resume_writing()

    def look(self, now: float) -> None:
        """Cut the connection if it is late; called once a second."""
        if now >= self._take_due or (self._is_refused and now >= self._due):
            self.transport.abort()
        elif self.transport.is_closing():
            self._take_due = min(self._take_due, now + TAKE_S)
        elif now >= self._due:
            self._cut_off(now)

    def _head_refusal(self) -> DomainError | None:
        """Say why a head is refused; None when it is not."""
        if len(self.headers) > MAX_HEADERS:
            return HeadTooLargeError(f"A request may have {MAX_HEADERS} headers.")
        # Hardly ever can a head be so long: only when what it came with was.
        may_be_long = self._chunk_bytes > MAX_HEAD_BYTES or self._head_bytes > MAX_HEAD_BYTES
        if may_be_long and self._whole_head() > MAX_HEAD_BYTES:
            return _head_too_large()
        if len(self.pipeline) >= MAX_AHEAD:
            return BadRequestError(f"{MAX_AHEAD} requests may be sent ahead of an answer.")
        return self._ambiguity()

    def _ambiguity(self) -> DomainError | None:
        """Say by what a proxy in front and this process could understand two different requests."""
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                return BadRequestError("Transfer-Encoding may be chunked, and nothing else.")
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            return BadRequestError("HTTP/1.1 and HTTP/1.0 are spoken here.")
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            return BadRequestError("A request has one Host header.")
        return None

    def _whole_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _wait_for_the_rest(self) -> None:
        if self._is_refused:
            return
        if self._phase == _HEAD and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())
        elif self._due == math.inf:
            self._due = self.loop.time() + (BODY_S if self._phase == _BODY else HEAD_S)

    def _cut_off(self, now: float) -> None:
        if self.flow.read_paused:
            # It is we who do not read on, until an earlier request is answered.
            self._due = now + BODY_S
        elif self._phase in {_HEAD, _BODY}:
            self._refuse(RequestTimeoutError(f"Head and body may take {HEAD_S:.0f} seconds each to arrive."))
        else:
            self._is_refused = True
            self.transport.close()

    def _refuse(self, error: DomainError, *, is_lingering: bool = True) -> None:
        """Answer with a problem document if an answer is due, and close."""
        self._is_refused = True
        self._unset_keepalive_if_required()
        is_answerable = self._is_answerable()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if is_answerable:
            self.transport.write(self._as_bytes(error))
        if not (is_answerable and is_lingering):
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._due = self.loop.time() + _LINGER_S

    def _is_answerable(self) -> bool:
        """Say whether the client would take an answer for that to what is refused, and not to another request."""
        if self.cycle is None or self.cycle.response_complete:
            return self._phase != _BODY
        return self._phase == _BODY and not self.cycle.response_started and not self.pipeline

    def _as_bytes(self, error: DomainError) -> bytes:
        answer = problem(error)
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        headers += safe_headers(headers, is_tls=self.scheme == "https")
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        return b"".join([STATUS_LINE[error.status], *lines, b"\r\n", bytes(answer.body)])

    def _drop(self, size: int) -> None:
        self._dropped_bytes += size
        if self._dropped_bytes > _LINGER_BYTES:
            self.transport.abort()


_watched: WeakSet[ServerState] = WeakSet()


def _watch(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    """Look at a server's connections once a second from now on, for as long as it has any."""
    if state not in _watched:
        _watched.add(state)
        loop.call_later(_LOOK_EVERY_S, _look, state, loop)


def _look(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    now = loop.time()
    for each in tuple(state.connections):
        if isinstance(each, GuardedProtocol):
            each.look(now)
    _watched.discard(state)
    if state.connections:
        _watch(state, loop)


def _head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"The request line and the headers may have {MAX_HEAD_BYTES:,} bytes together.")
