"""The secret at the door: every request carries it, or goes no further."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Door:
    """ASGI middleware that answers 401 to a request without the secret. It compares in constant time."""

    def __init__(self, app: ASGIApp, *, secret: str) -> None:
        self._app = app
        self._expected = f"Bearer {secret}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request with the secret through."""
        if scope["type"] == "http" and not self._is_open_to(Headers(scope=scope)):
            refusal = JSONResponse(
                {"code": "unauthenticated", "detail": "The Authorization header does not hold the sandbox's secret."},
                status_code=401,
                headers={"www-authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_open_to(self, headers: Headers) -> bool:
        # Headers arrive decoded as Latin-1, so encoding them so gives back the bytes that were sent.
        return hmac.compare_digest(headers.get("authorization", "").encode("latin-1"), self._expected)
