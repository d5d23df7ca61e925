"""The event loop of an API process: uvloop's, which here gives a TLS handshake seconds and not a minute."""

from typing import Any

import uvloop

HANDSHAKE_S = 10.0
# How long the other side may take to agree that the connection is over.
_GOODBYE_S = 3.0


class ServingLoop(uvloop.Loop):
    """Passes time limits to servers with TLS, for which uvicorn has no setting."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Return a server, as asked for."""
        if options.get("ssl") is not None:
            options |= {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": _GOODBYE_S}
        return await super().create_server(*arguments, **options)
