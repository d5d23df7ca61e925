"""The edge of the application: a body that is too large or compressed is refused, whatever its headers claim.

FastAPI has a limit of its own (`max_body_size`), which answers in plain text on some paths; a refusal here is a problem
document on all of them.
"""

import asyncio
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from domain.errors import DomainError
from domain.request_errors import BodyTooLargeError, UnsupportedEncodingError

MAX_BODY_BYTES = 64 * 1024
_ACCEPTED = f"A body may have {MAX_BODY_BYTES} bytes."
_PLAIN = "Send the body as it is, without Content-Encoding."
# Not all of the body may have been read, so the connection cannot be used again.
_CLOSE = {"Connection": "close"}
# A client that is cut off while it sends does not hear why; so some of what it has left is taken and dropped.
_DROPPED_BYTES, _DROPPING_S = 1024 * 1024, 1.0


class BodyLimit:
    """Refuses bodies over 64 KiB: at once when the length is declared, else when the byte too many arrives.

    A compressed one is refused at once, and nothing is ever unpacked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (refusal := _refusal(scope)) is not None:
            await _refuse(refusal, scope, receive, send)
            return
        await self._app(scope, _Counted(receive), send)


class _Counted:
    """A `receive` that stops when more than the limit has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > MAX_BODY_BYTES:
            if message.get("more_body", False):
                await _drop_the_rest(self._receive)
            # Of this kind, because FastAPI takes whatever else is raised while it reads a body for a broken body.
            raise HTTPException(413, _ACCEPTED, headers=_CLOSE)
        return message


def _refusal(scope: Scope) -> DomainError | None:
    """Say what the headers alone tell against a body."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BODY_BYTES:
            return BodyTooLargeError(_ACCEPTED)
        if name == b"content-encoding" and value.lower() not in {b"identity", b""}:
            return UnsupportedEncodingError(_PLAIN)
    return None


async def _refuse(error: DomainError, scope: Scope, receive: Receive, send: Send) -> None:
    # One that asked first (`Expect: 100-continue`) has sent nothing yet, and reading would tell it to.
    if not any(name == b"expect" for name, _ in scope["headers"]):
        await _drop_the_rest(receive)
    answer = problem(error)
    answer.headers.update(_CLOSE)
    await answer(scope, receive, send)


async def _drop_the_rest(receive: Receive) -> None:
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DROPPING_S):
            while dropped < _DROPPED_BYTES:
                message = await receive()
                if not message.get("more_body", False):
                    return
                dropped += len(message["body"])
