"""Requests as bytes, for what no HTTP client would send."""

import asyncio
import json
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

HOST = b"Host: localhost\r\n"
_ANSWER = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came back until the connection was closed, and how long that took."""

    raw: bytes
    took_s: float

    @property
    def status(self) -> int | None:
        """Return the status of the first answer; None when nothing came."""
        return int(self.raw.split(b" ", 2)[1]) if self.raw else None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the first answer."""
        lines = self.raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def problem(self) -> dict[str, Any]:
        """Return the problem document of the first answer."""
        assert self.headers["content-type"] == "application/problem+json", self.raw
        said: dict[str, Any] = json.loads(self.raw.partition(b"\r\n\r\n")[2])
        return said

    @property
    def answers(self) -> int:
        """Return how many answers came."""
        return len(_ANSWER.findall(self.raw))


async def connect(url: str, *, tls: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to a server."""
    there = urlsplit(url)
    return await asyncio.open_connection(there.hostname, there.port, ssl=tls)


async def tell(
    url: str, *parts: bytes, every_s: float = 0.0, drip: bytes = b"", tls: ssl.SSLContext | None = None
) -> Heard:
    """Send parts, then drip until the server closes; return what it said."""
    reader, writer = await connect(url, tls=tls)
    clock = asyncio.get_running_loop().time
    began = clock()
    hearing = asyncio.create_task(_hear(reader))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        while drip and not hearing.done():
            writer.write(drip)
            await asyncio.wait([hearing], timeout=every_s)
        raw = await hearing
    except ConnectionError:
        raw = await hearing
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return Heard(raw=raw, took_s=clock() - began)


async def _hear(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    try:
        while more := await reader.read(65_536):
            heard += more
    except ConnectionError:
        pass
    return heard


def get(path: str = "/livez", *headers: bytes, version: str = "1.1") -> bytes:
    """Return a GET as bytes."""
    return f"GET {path} HTTP/{version}\r\n".encode() + HOST + b"".join(each + b"\r\n" for each in headers) + b"\r\n"


def post(path: str, *headers: bytes, body: bytes = b"") -> bytes:
    """Return a POST as bytes, without a length of its own."""
    return f"POST {path} HTTP/1.1\r\n".encode() + HOST + b"".join(each + b"\r\n" for each in headers) + b"\r\n" + body
