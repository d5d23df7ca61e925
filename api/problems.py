"""Refusals as RFC 9457 problem documents: one function for every 4xx and 5xx of `/v1`.

What a caller sent is never repeated in one: it may be a number or a code.
"""

import re
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.headers import safe_headers
from domain import errors, request_errors
from domain.errors import DomainError

MEDIA_TYPE = "application/problem+json"
# Relative on purpose: the documentation lies beside the API of each installation.
TYPE_PREFIX = "/docs/problems#"
# A body can have ten thousand fields that nobody knows.
_MOST_TOLD = 20
_FIELD = re.compile(r"[A-Za-z_-]{1,40}")
_log = structlog.get_logger()
_BY_STATUS: dict[int, type[DomainError]] = {
    400: request_errors.MalformedBodyError,
    404: errors.NotFoundError,
    405: request_errors.MethodNotAllowedError,
    413: request_errors.BodyTooLargeError,
}
_NAMED = {
    404: "Nothing is at this path; /openapi.json lists what there is.",
    405: "The path exists but does not take this method; /openapi.json lists what it takes.",
    400: "The body is not JSON that can be read: UTF-8, at most 64 KiB.",
}


def problem(error: DomainError) -> JSONResponse:
    """Return the answer that tells of a refusal."""
    body: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        **error.fields,
    }
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        body["retry_after_s"] = error.retry_after_s
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401 or error.challenge:  # noqa: PLR2004 - the status that RFC 6750 wants a challenge with
        told = {"realm": "countersign", **error.challenge}
        headers["WWW-Authenticate"] = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())
    return JSONResponse(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: the statuses it can answer beside its own, and those that any route can."""
    every = sorted({*statuses, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 500, 503})
    schema = {"$ref": "#/components/schemas/Problem"}
    return {status: {"description": _describe(status), "content": {MEDIA_TYPE: {"schema": schema}}} for status in every}


def install(app: FastAPI) -> None:
    """Have every refusal of an app answered as a problem document."""

    @app.exception_handler(DomainError)
    async def refused(_: Request, error: DomainError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def not_valid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(each["type"] == "json_invalid" for each in found):
            return problem(request_errors.MalformedBodyError(_NAMED[400]))
        return problem(
            errors.InvalidRequestError(
                _sentence(found), fields={"errors": [_told(each) for each in found[:_MOST_TOLD]]}
            )
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = _BY_STATUS.get(error.status_code, errors.InternalError)
        answer = problem(kind(_NAMED.get(error.status_code, str(error.detail))))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:  # noqa: PLR2004 - the status that has to say what would do
            answer.headers["Allow"] = ", ".join(_methods_at(request))
        return answer

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        # The outermost edge: whatever it is, the caller gets a problem document and the log gets the rest.
        _log.error("request_failed", route=getattr(request.scope.get("route"), "path", None), exc_info=error)
        answer = problem(errors.InternalError("The request failed and was logged; try again."))
        # This one leaves outside of everything that adds headers.
        answer.raw_headers += safe_headers(answer.raw_headers, is_tls=request.url.scheme == "https")
        return answer


def _methods_at(request: Request) -> list[str]:
    """Return every method that the path takes, as it is documented most literally: /unlock before /{verification_id}.

    The router names only those of the first route that it comes across.
    """
    found: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.url.path):
            found.setdefault(route.path, set()).update(route.methods or ())
    return sorted(found[min(found, key=lambda path: path.count("{"))]) if found else []


def _describe(status: int) -> str:
    kinds = [each for each in _all_errors() if each.status == status]
    return "; ".join(sorted(each.code for each in kinds)) or "a problem document"


def _all_errors() -> list[type[DomainError]]:
    return DomainError.__subclasses__()


def _told(found: Any) -> dict[str, str]:
    place = ".".join(_name(part) for part in found["loc"] if part != "body")
    return {"field": place or "body", "message": _message(found)}


def _name(part: str | int) -> str:
    """Return a part of a field's place, unless the caller made it up and it may be a number or a code."""
    return str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "(a name)"


# What is accepted, in words, where Pydantic would show a regular expression or a type of its own.
_ACCEPTED = {
    "code": "4 to 10 digits, 0 to 9, and nothing else",
    "to": "a number in E.164, like +447700900123; in a URL write its plus as %2B",
    "brand": "letters, digits, spaces and . & ' _ + - ; it begins with a letter or a digit",
    "locale": "a language tag, like en or pt-BR",
    "country": "two capital letters, like GB",
    "reference": "printable characters",
    "created_after": "a moment with a time zone, like 2026-11-22T12:00:00Z; in a URL write a plus as %2B",
}
_IN_WORDS = frozenset({"string_pattern_mismatch", "datetime_from_date_parsing", "datetime_parsing", "timezone_aware"})
_NO_OBJECT = frozenset({"model_attributes_type", "dict_type", "model_type"})


def _message(found: Any) -> str:
    if found["type"] == "extra_forbidden":
        return "is not a field of this request"
    if found["type"] in _NO_OBJECT:
        return "send a JSON object, with Content-Type: application/json"
    if found["type"] in _IN_WORDS and found["loc"][-1] in _ACCEPTED:
        return _ACCEPTED[found["loc"][-1]]
    text: str = found["msg"]
    return text.removeprefix("Value error, ")


def _sentence(found: Any) -> str:
    first = _told(found[0])
    more = f" ({len(found)} fields in all)" if len(found) > 1 else ""
    return f"{first['field']}: {first['message']}{more}"


def problem_schema() -> dict[str, Any]:
    """Return the JSON schema of a problem document, for the OpenAPI document."""
    text = {"type": "string"}
    return {
        "type": "object",
        "title": "Problem",
        "description": "A refusal (RFC 9457). `code` is stable; `detail` says what to do.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": sorted(each.code for each in _all_errors())},
            "detail": text,
            "retry_after_s": {"type": "integer"},
            "errors": {"type": "array", "items": {"type": "object", "additionalProperties": text}},
        },
        "additionalProperties": True,
    }
