"""The sandbox's app behind a real socket."""

import time
from pathlib import Path

import uvicorn

from sandbox.app import create_app
from sandbox.database import Clock, open_database
from sandbox.settings import SandboxSettings

# Longer than any client keeps a connection idle: were the server the first to close one, a request sent at that
# moment would be lost without an answer, and an attempt would read `unknown` for no reason.
KEEP_ALIVE_S = 75
# Handlers let go by themselves; this ends what should not exist.
SHUTDOWN_S = 1


def build_server(*, settings: SandboxSettings, file: Path, port: int, clock: Clock = time.time) -> uvicorn.Server:
    """Return a server on the loopback address; port 0 takes a free one. The file is opened here."""
    app = create_app(
        connection=open_database(file),
        settings=settings,
        is_stopping=lambda: server.should_exit,
        clock=clock,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            access_log=False,
            log_level="warning",
            lifespan="on",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        ),
    )
    return server
