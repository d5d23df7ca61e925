"""Requests that mean one thing: a name twice, in a JSON object or in the query, is refused, for readers differ on it.

What nests deeper than any request here does is refused before it is read, so that no reader runs out of stack.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.authorisation import depends
from api.callers import find_out_first, who_calls
from domain.errors import InvalidRequestError
from domain.request_errors import UnsupportedMediaTypeError

MAX_DEPTH = 32
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class StrictRoute(APIRoute):
    """A route whose body is read strictly: `APIRouter(route_class=StrictRoute)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, given requests that read their bodies strictly."""
        handle, takes_body = super().get_route_handler(), self.body_field is not None
        singles = _single_names(self.dependant)
        asks_who_calls = depends(self.dependant, who_calls)

        async def handle_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            repeated = _repeated(strict, singles)
            # FastAPI reads the body first, and would tell a stranger what is wrong with it.
            if (takes_body or repeated) and asks_who_calls:
                await find_out_first(strict)
            if repeated:
                raise InvalidRequestError(f"{repeated[0]}: name it once in the query.")
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


def _single_names(dependant: Dependant) -> frozenset[str]:
    """Return the query parameters of a route that take one value."""
    found = {each.alias: each.field_info for each in dependant.query_params}
    for model in [info.annotation for info in found.values()]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            found |= {info.alias or name: info for name, info in model.model_fields.items()}
    return frozenset(name for name, info in found.items() if "list" not in repr(info.annotation))


def _repeated(request: Request, singles: frozenset[str]) -> list[str]:
    """Return which of a route's parameters a query has more than once."""
    if not singles or not request.url.query:
        return []
    names = Counter(name for name, _ in request.query_params.multi_items())
    return sorted(name for name in singles if names[name] > 1)


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
