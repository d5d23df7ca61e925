"""`/livez` and `/readyz`: whether this process lives, and whether everything it needs does."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.callers import ThisApp

router = APIRouter(tags=["health"])
_PATIENCE_S = 2.0


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Some part is not ready; the body says which"}})
async def readyz(parts: ThisApp) -> Response:
    """Say of each part whether it is ready; 503 when one is not."""
    names = list(parts.readiness)
    words = await asyncio.gather(*(_word(parts.readiness[name]) for name in names))
    states = dict(zip(names, words, strict=True))
    ready = all(word == "ok" for word in words)
    body = {"status": "ready" if ready else "not ready", "parts": states}
    return JSONResponse(body, status_code=200 if ready else 503)


async def _word(ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await ask()
    # Whatever keeps a part from answering is the same to who asks: it is not ready, and this is how it looks.
    except Exception as error:  # noqa: BLE001
        return f"not ready ({type(error).__name__})"
    return "ok"
