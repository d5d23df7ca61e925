"""Waits that end early: when the client has left, or the process wants to."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request

# uvicorn has no sign for "I am about to stop" that a handler could await, so it is looked at this often.
LOOK_EVERY_S = 0.05


async def hold(request: Request, *, wait_s: float, is_stopping: Callable[[], bool]) -> None:
    """Wait, unless nobody is there to wait for. The request's body must have been read."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    # ASYNC110 asks for an event, and there is none: neither the server nor the client gives a sign to await.
    while (left_s := until - loop.time()) > 0 and not is_stopping() and not await request.is_disconnected():  # noqa: ASYNC110
        await asyncio.sleep(min(left_s, LOOK_EVERY_S))
