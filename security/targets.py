"""Sending webhooks to addresses that strangers chose, without becoming their way into this network.

A URL is read by one narrow grammar (`rules/webhooks/targets.py`), connections go to judged addresses only
(`pinned.py`), and the pool below them knows no redirects, no proxies, no cookies and no compression. Whatever a
target does comes back as a value; only a mistake of ours is raised.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpcore2

from domain.errors import InvalidTargetError
from domain.targets import Answered, Failed, TargetAnswer, TargetFailure
from rules.webhooks.addresses import why_not_public
from rules.webhooks.targets import Target, TargetPolicy, parse_target
from security.pinned import AddressRefusedError, Judge, NameNotFoundError, PinnedBackend
from security.resolving import Resolve, SystemResolver

# What is kept of an answer's body, to be shown to the account.
HEAD_BYTES = 1_024
# A target may not ask for more patience than that.
LONGEST_RETRY_AFTER_S = 86_400
# Shorter than servers keep an idle connection (5 s is common), so that a webhook does not meet one being closed; and
# a name that has moved is looked up anew after the first pause.
_KEEP_ALIVE_S = 3.0
_MOST_IDLE = 64
_DIGITS_OF_SECONDS = 9

# In the order in which they are looked for: the first that fits says what happened.
_MEANINGS: tuple[tuple[type[Exception], TargetFailure], ...] = (
    (AddressRefusedError, TargetFailure.ADDRESS_REFUSED),
    (NameNotFoundError, TargetFailure.NAME_NOT_FOUND),
    (httpcore2.PoolTimeout, TargetFailure.NO_CONNECTION_FREE),
    (httpcore2.TimeoutException, TargetFailure.TIMED_OUT),
    (TimeoutError, TargetFailure.TIMED_OUT),
    (ssl.SSLError, TargetFailure.TLS_FAILED),
    (httpcore2.ConnectError, TargetFailure.NOT_CONNECTED),
    (httpcore2.NetworkError, TargetFailure.CONNECTION_LOST),
    (httpcore2.RemoteProtocolError, TargetFailure.NOT_HTTP),
    (OSError, TargetFailure.CONNECTION_LOST),
)
_SENTENCES = {
    TargetFailure.ADDRESS_REFUSED: "The host's name leads to an address that is not on the public internet.",
    TargetFailure.NAME_NOT_FOUND: "The host's name has no address, or its name servers did not answer.",
    TargetFailure.NO_CONNECTION_FREE: "All connections of this instance are in use.",
    TargetFailure.TIMED_OUT: "The target did not answer in time: 10 seconds to connect, 15 seconds in all.",
    TargetFailure.TLS_FAILED: "No secure connection came about.",
    TargetFailure.NOT_CONNECTED: "The target takes no connection.",
    TargetFailure.CONNECTION_LOST: "The connection broke before the answer was complete.",
    TargetFailure.NOT_HTTP: "The connection ended without an answer, or the answer was not HTTP/1.1.",
}
_WHAT_HAPPENS = tuple(kind for kind, _ in _MEANINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLimits:
    """How long one try may take, how much of an answer is read, and how many tries are under way at once."""

    resolve_s: float = 5.0
    # For a free connection, for the name and the connection, and for the handshake: for each of them.
    connect_s: float = 10.0
    total_s: float = 15.0
    read_bytes: int = 65_536
    connections: int = 256


class GuardedTargets:
    """Posts to targets. One for a process: it keeps connections, for each host its own."""

    def __init__(
        self,
        *,
        policy: TargetPolicy | None = None,
        limits: TargetLimits | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        judge: Judge = why_not_public,
        dial: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        """Guard as the policy says; tests bring their own certificates, names and network."""
        self._policy = policy or TargetPolicy()
        self._limits = limits or TargetLimits()
        self._resolver = None if resolve else SystemResolver()
        backend = PinnedBackend(
            policy=self._policy,
            resolve=resolve or self._resolver or SystemResolver(),
            resolve_s=self._limits.resolve_s,
            judge=judge,
            dial=dial,
        )
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or _tls(),
            max_connections=self._limits.connections,
            max_keepalive_connections=_MOST_IDLE,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=backend,
        )

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> TargetAnswer:
        """Post once, and say what came of it."""
        began = time.monotonic()
        try:
            target = parse_target(url, policy=self._policy)
        except InvalidTargetError as refused:
            return Failed(kind=TargetFailure.URL_REFUSED, detail=refused.detail, latency_ms=0)
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await self._exchange(target, body=body, headers=headers, began=began)
        except _WHAT_HAPPENS as error:
            return _failed(error, latency_ms=_since(began))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()
        if self._resolver is not None:
            self._resolver.close()

    async def _exchange(self, target: Target, *, body: bytes, headers: Mapping[str, str], began: float) -> Answered:
        async with self._pool.stream(
            "POST",
            httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=[("host", target.authority), *headers.items()],
            content=body,
            extensions={"timeout": self._timeouts()},
        ) as response:
            head = await self._head(response)
            return Answered(
                status=response.status,
                head=_readable(head),
                latency_ms=_since(began),
                retry_after_s=_retry_after(response.headers),
            )

    async def _head(self, response: httpcore2.Response) -> bytes:
        """Return the first bytes of a body; the rest is read, up to the limit, so that the connection can be kept."""
        head, seen = b"", 0
        async for chunk in response.aiter_stream():
            head += chunk[: HEAD_BYTES - len(head)]
            seen += len(chunk)
            if seen >= self._limits.read_bytes:
                break
        return head

    def _timeouts(self) -> dict[str, float]:
        connect_s, total_s = self._limits.connect_s, self._limits.total_s
        return {"pool": connect_s, "connect": connect_s, "write": total_s, "read": total_s}


def _tls() -> ssl.SSLContext:
    context = httpcore2.default_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _failed(error: Exception, *, latency_ms: int) -> Failed:
    # The pool hides what broke a handshake behind the same error as a refused connection.
    cause = error.__context__ if isinstance(error.__context__, ssl.SSLError) else error
    kind = next(meaning for happened, meaning in _MEANINGS if isinstance(cause, happened))
    detail = _SENTENCES[kind]
    if isinstance(cause, ssl.SSLCertVerificationError):
        detail = f"The target's certificate is not accepted: {cause.verify_message}"
    return Failed(kind=kind, detail=detail, latency_ms=latency_ms)


def _retry_after(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Return the seconds of a `Retry-After`, given as such or as a date; None where there is none to be read."""
    value = next((value for name, value in headers if name.lower() == b"retry-after"), b"").decode("latin-1").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:_DIGITS_OF_SECONDS]), LONGEST_RETRY_AFTER_S)
    with suppress(ValueError, OverflowError):
        return max(0, min(int(parsedate_to_datetime(value).timestamp() - time.time()), LONGEST_RETRY_AFTER_S))
    return None


def _readable(head: bytes) -> str:
    """Return bytes as text that a page can show and a database can store."""
    text = head.decode("utf-8", errors="replace")
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
