"""Ports: a taken one is named in a sentence before anything is started."""

import secrets
import socket
from contextlib import suppress

# Below what Linux (from 32768) and macOS (from 49152) give to connections.
_OURS = range(20_000, 32_000)


class PortTakenError(RuntimeError):
    """Something else listens where we should."""


def ensure_free(port: int, *, purpose: str, setting: str) -> None:
    """Raise `PortTakenError`, with what to do, unless the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTakenError(
                f"Port {port} ({purpose}) is taken by another program. Stop it, or set {setting} to a free port."
            ) from None


def free_port() -> int:
    """Return a port that is free now, and likely to be in a moment.

    One that the system would choose may be given to somebody's connection before a program that starts has taken it.
    """
    while True:
        port = secrets.choice(_OURS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
