"""Headers of every answer that keep a browser, and whatever stands in between, from doing more with it than is meant.

They are added as an answer leaves, so no route can forget them. A route that needs another one sets its own.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]
# An answer may hold a number, a code's verdict or a key: nobody keeps it. What may be kept says so itself.
_UNLESS_SET: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# Two years, the least that lists of such sites take. Only said over TLS: elsewhere it means nothing.
_HSTS: Header = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


def safe_headers(present: Iterable[Header], *, is_tls: bool) -> list[Header]:
    """Return what an answer with these headers still lacks."""
    names = {name for name, _ in present}
    return [each for each in (*_UNLESS_SET, *((_HSTS,) if is_tls else ())) if each[0] not in names]


class SafeHeaders:
    """Adds the headers to every answer of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what comes back leaves with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_tls = scope["scheme"] == "https"

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *safe_headers(message["headers"], is_tls=is_tls)]
            await send(message)

        await self._app(scope, receive, send_safely)
