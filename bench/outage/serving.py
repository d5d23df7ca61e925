"""Serving an application on a real socket, in the event loop of the drill."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from api.server import config_of


class _Server(uvicorn.Server):
    """Leaves the process's signals to the drill."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an application as the product is served for as long as the block lasts; yield its URL."""
    config = config_of(app, host="127.0.0.1", port=0, connections=1_000)
    config.timeout_graceful_shutdown = 1
    # The protocol is named, or asyncio would leave Nagle's algorithm on and each answer would wait 40 ms for a word.
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    place.bind((config.host, 0))
    # Who calls before the application is up waits in line.
    place.listen()
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[place]))
    try:
        yield f"http://{config.host}:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
