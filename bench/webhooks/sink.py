"""A receiver of webhooks on a real socket: it does what it is told, and writes down all that came.

One sink has one port. It answers in one way on every path unless a path has been given another; `down` closes the port
as a crashed program would. Its ledger tells who was posted what, how often, and what was answered.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a sink does with a request."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    # Seconds between one byte of the answer and the next.
    drip_s: float | None = None
    # Sent instead of an answer; nothing at all, and the connection is cut.
    raw: bytes | None = None
    # Stays on the line after `raw` and says no more, rather than to hang up.
    stays: bool = False

    def encoded(self) -> bytes:
        """Return the bytes of the answer."""
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


OK = Reply()
BROKEN = Reply(status=500)
GONE = Reply(status=410)
SILENT = Reply(raw=b"", stays=True)
DRIPPING = Reply(drip_s=1.0)
CUT = Reply(raw=b"")


def redirect(url: str, *, status: int = 302) -> Reply:
    """Return an answer that sends the caller elsewhere."""
    return Reply(status=status, headers=(("location", url),))


def throttled(*, retry_after: str) -> Reply:
    """Return an answer that asks for patience."""
    return Reply(status=429, headers=(("retry-after", retry_after),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came: when (by the process's clock), its head and body, and the status of the answer."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    answered: int | None

    @property
    def id(self) -> str:
        """Return the webhook's id, which is the same at every try."""
        return self.headers.get("webhook-id", "")


class Sink:
    """The receiver. Use it from the event loop that it was started in; `sinking` starts and stops one."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.reply = OK
        self.replies: dict[str, Reply] = {}
        self.ledger: list[Received] = []
        self.connects = 0
        self.port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """Return its address, without a path."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    async def up(self) -> None:
        """Listen, on the same port as before if it did already."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def arrived(self, count: int) -> None:
        """Wait until the ledger has so many requests; bound it with a time-out."""
        while len(self.ledger) < count:
            self._news.clear()
            await self._news.wait()

    def tries(self) -> Mapping[str, Sequence[Received]]:
        """Return the ledger by the webhooks' ids, each with its tries in their order."""
        found: dict[str, list[Received]] = {}
        for received in self.ledger:
            found.setdefault(received.id, []).append(received)
        return found

    async def left(self) -> None:
        """Wait until no caller is on the line."""
        while self._serving:
            await asyncio.wait(self._serving)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()  # the caller has left, or spoke another language
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        else:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether the connection goes on."""
        path, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = self.replies.get(path, self.reply)
        answered = reply.status if reply.raw is None else None
        self.ledger.append(Received(at=time.monotonic(), path=path, headers=headers, body=body, answered=answered))
        self._news.set()
        await _write(reply, writer)
        if reply.stays:
            await reader.read()
        return reply.raw is None


@asynccontextmanager
async def sinking(*, tls: ssl.SSLContext | None = None, reply: Reply = OK) -> AsyncIterator[Sink]:
    """Run a sink on a free port."""
    sink = Sink(tls=tls)
    sink.reply = reply
    await sink.up()
    try:
        yield sink
    finally:
        await sink.down()


async def _write(reply: Reply, writer: asyncio.StreamWriter) -> None:
    if reply.drip_s is None:
        writer.write(reply.encoded())
        await writer.drain()
        return
    for byte in reply.encoded():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(reply.drip_s)


def _head(data: bytes) -> tuple[str, Mapping[str, str]]:
    """Return the path and the headers, their names in lower case, of a request's head."""
    first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs}
