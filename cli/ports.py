"""Ports: a taken one is named in a sentence before anything is started."""

import socket


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
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
