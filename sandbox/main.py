"""Start the sandbox carriers: the only module here that reads the environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from sandbox.server import build_server
from sandbox.settings import SandboxSettings

_NAMES = (
    "COUNTERSIGN_SANDBOX_FILE",
    "COUNTERSIGN_SANDBOX_SECRET",
    "COUNTERSIGN_RECEIPT_URL",
    "COUNTERSIGN_SANDBOX_PORT",
)


def main() -> None:
    """Serve on the loopback address until SIGTERM."""
    try:
        server = server_of(os.environ)
    except ValueError as error:
        sys.exit(f"The sandbox does not start: {error}")
    server.run()


def server_of(environment: Mapping[str, str]) -> uvicorn.Server:
    """Return the server the environment describes; raise `ValueError` with a sentence when it describes none."""
    missing = [name for name in _NAMES if not environment.get(name)]
    if missing:
        raise ValueError(f"set {', '.join(missing)}.")
    file, secret, receipt_url, port = (environment[name] for name in _NAMES)
    if not port.isdecimal():
        raise ValueError("COUNTERSIGN_SANDBOX_PORT is not a number.")
    settings = SandboxSettings(secret=secret, receipt_url=receipt_url)
    return build_server(settings=settings, file=Path(file), port=int(port))


if __name__ == "__main__":
    main()
