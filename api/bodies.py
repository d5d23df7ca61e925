"""Bodies as JSON that means one thing: an object that has a name twice is refused, because readers differ on it.

What nests deeper than any request here does is refused before it is read, so that no reader runs out of stack.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.authorisation import depends
from api.callers import find_out_first, who_calls
from domain.request_errors import UnsupportedMediaTypeError

MAX_DEPTH = 32
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class StrictRoute(APIRoute):
    """A route whose body is read strictly: `APIRouter(route_class=StrictRoute)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, given requests that read their bodies strictly."""
        handle, takes_body = super().get_route_handler(), self.body_field is not None
        asks_who_calls = depends(self.dependant, who_calls)

        async def handle_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            # FastAPI reads the body first, and would tell a stranger what is wrong with it.
            if takes_body and asks_who_calls:
                await find_out_first(strict)
            if takes_body:
                _ensure_json(strict)
            return await handle(strict)

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        # Decoded here, because `json` would guess at UTF-16 and UTF-32 as well.
        try:
            text = (await self.body()).decode()
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError("not UTF-8", "", error.start) from error
        if _is_too_deep(text):
            raise json.JSONDecodeError("too deep", "", 0)
        return json.loads(text, object_pairs_hook=_object)


def _ensure_json(request: Request) -> None:
    """Refuse a body that is not called JSON. A browser's form can call itself other things, but not that."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json and (media_type or _has_body(request)):
        raise UnsupportedMediaTypeError("Send the body as JSON, with Content-Type: application/json.")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _is_too_deep(text: str) -> bool:
    # Brackets in texts are counted as well here; hardly any body has so many, and the others are looked at closely.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKETS.finditer(text):
        match found[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
        if depth > MAX_DEPTH:
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise json.JSONDecodeError("a name twice", "", 0)
    return found
