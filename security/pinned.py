"""Connections to judged addresses only: the one place where a socket to a target is opened.

A name is looked up once for a connection, every address it has is judged, and the connection goes to one of those very
addresses. The name is not looked up again in between, so an answer that changes (DNS rebinding) changes nothing. TLS
comes after, with the name, in the connection pool that this is a part of.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias

import httpcore2

from rules.webhooks.addresses import Address, why_not_public
from rules.webhooks.targets import TargetPolicy, is_loopback
from security.resolving import Resolve

Judge: TypeAlias = Callable[[Address], str | None]

# What `localhost` is, whatever the machine's files say.
_LOOPBACK: Sequence[Address] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
# Each gets its share of the time; with more, the shares would be too short for the other side of the world.
_MOST_TRIED = 4


class AddressRefusedError(Exception):
    """An address of the name is not on the public internet; nothing was connected to."""


class NameNotFoundError(Exception):
    """The name has no address, or the resolver did not say so in time."""


# Inherits because the pool's type asks for it; nothing of it is used.
class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """What the connection pool opens its sockets with."""

    def __init__(
        self,
        *,
        policy: TargetPolicy,
        resolve: Resolve,
        resolve_s: float,
        judge: Judge = why_not_public,
        dial: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._resolve_s = resolve_s
        self._judge = judge
        self._dial = dial or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the pool's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to an address of the host; `timeout` is for the look-up and all tries together.

        Raises:
            AddressRefusedError: one of its addresses may not be connected to.
            NameNotFoundError: it has no address.

        """
        deadline = None if timeout is None else time.monotonic() + timeout
        tried = (await self._addresses(host))[:_MOST_TRIED]
        for at, address in enumerate(tried, start=1):
            share = None if deadline is None else max(0.0, deadline - time.monotonic()) / (len(tried) - at + 1)
            try:
                return ClosingStream(
                    await self._dial.connect_tcp(str(address), port, share, local_address, socket_options)
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if at == len(tried):
                    raise
        raise NameNotFoundError

    async def _addresses(self, host: str) -> Sequence[Address]:
        """Return the addresses of a host, every one of them judged."""
        if self._policy.is_loopback_allowed and is_loopback(host):
            return _LOOPBACK if host == "localhost" else (ip_address(host),)
        addresses = await self._looked_up(host)
        if any(self._judge(address) is not None for address in addresses):
            raise AddressRefusedError
        return addresses

    async def _looked_up(self, host: str) -> Sequence[Address]:
        try:
            return (ip_address(host),)
        except ValueError:
            pass
        try:
            async with asyncio.timeout(self._resolve_s):
                return await self._resolve(host)
        except TimeoutError:
            raise NameNotFoundError from None


# Inherits because the pool's type asks for it.
class ClosingStream(httpcore2.AsyncNetworkStream):
    """A connection that is closed when its handshake is cut off: the pool would only forget it."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the pool's signature
        """Return what has come."""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the same
        """Send bytes."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the same
    ) -> httpcore2.AsyncNetworkStream:
        """Shake hands, and close the connection when that does not come to an end."""
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the socket."""
        return self._stream.get_extra_info(info)
