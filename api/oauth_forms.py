"""What the token endpoint reads: a form, a Basic header, and which of the ways of proving a client was used.

Each parameter is there once, in the body and nowhere else; what is empty counts as left out (RFC 6749, §3.2). An
answer that refuses is the document of §5.2, not a problem document: OAuth2 clients know that one.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api.problems import problems
from domain.oauth import InvalidClientError, InvalidTokenRequestError, OAuthError
from services.client_authentication import Proof

FORM = "application/x-www-form-urlencoded"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MOST_FIELDS = 50
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# The one challenge that there is a scheme for (RFC 6749, §5.2); the other ways of proving a client have none.
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="countersign", charset="UTF-8"'}
_TEXT = {"type": "string"}


async def form_of(request: Request) -> dict[str, str]:
    """Return the parameters in the body.

    Raises:
        InvalidTokenRequestError: it is no form, or says something twice.

    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidTokenRequestError(f"Send the parameters in the body, with Content-Type: {FORM}.")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise InvalidTokenRequestError("The body is not a form that can be read: percent-encoded UTF-8.") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidTokenRequestError("Send each parameter once.")
    return {name: value for name, value in pairs if value}


def proof_of(request: Request, form: Mapping[str, str]) -> Proof:
    """Return by what a client proves who it is.

    Raises:
        InvalidTokenRequestError: it uses two ways at once.
        InvalidClientError: it uses none.

    """
    headers = request.headers.getlist("authorization")
    ways = [*headers, *(form[name] for name in ("client_secret", "client_assertion") if name in form)]
    if len(ways) > 1:
        raise InvalidTokenRequestError(
            "Prove who you are in one way: a Basic header, client_secret, or client_assertion."
        )
    proof = _from_header(headers[0]) if headers else _from_form(form)
    named = form.get("client_id")
    if named is not None and proof.client_id not in {None, named}:
        raise InvalidTokenRequestError("client_id is another client than the one that proves itself.")
    return proof


def refusal(error: OAuthError) -> JSONResponse:
    """Return the answer that tells of a refusal."""
    headers = _NO_STORE | (_CHALLENGE if isinstance(error, InvalidClientError) else {})
    body = {"error": error.error, "error_description": error.description}
    return JSONResponse(body, status_code=error.status, headers=headers)


def told(body: Mapping[str, Any]) -> JSONResponse:
    """Return an answer that nobody keeps."""
    return JSONResponse(dict(body), headers=_NO_STORE)


def install(app: FastAPI) -> None:
    """Have refusals of the token endpoint answered as OAuth2 clients expect them."""

    @app.exception_handler(OAuthError)
    async def refused(_: Request, error: OAuthError) -> JSONResponse:
        return refusal(error)


def oauth_responses() -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route of OAuth2: refusals of its own form, and those that any route can give."""
    document = {
        "type": "object",
        "title": "OAuthError",
        "description": "A refusal (RFC 6749, section 5.2).",
        "required": ["error"],
        "properties": {"error": _TEXT, "error_description": _TEXT},
    }
    own = {"content": {"application/json": {"schema": document}}}
    return {
        **problems(400),
        400: {"description": "invalid_request, unsupported_grant_type or invalid_scope", **own},
        401: {"description": "invalid_client", **own},
    }


def form_body(*required: str, **optional: str) -> dict[str, Any]:
    """Return the part of the OpenAPI document that tells of a form: what must be in it, and what may."""
    proofs = {
        "client_id": "Where it is not in a Basic header.",
        "client_secret": "The secret, where it is not in a Basic header.",
        "client_assertion_type": f"`{_ASSERTION_TYPE}`, beside an assertion.",
        "client_assertion": "A JWT that the client signed (RFC 7523).",
    }
    described = {name: {**_TEXT, "description": about} for name, about in (optional | proofs).items()}
    schema = {"type": "object", "required": list(required), "properties": dict.fromkeys(required, _TEXT) | described}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


def _from_header(header: str) -> Proof:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClientError("Of headers, only Basic proves a client here.")
    try:
        pair = base64.b64decode(rest.strip(), validate=True).decode()
        name, _, secret = pair.partition(":")
        # Both are form-encoded before they are put together (RFC 6749, §2.3.1).
        name, secret = unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise InvalidClientError("The Basic header is not base64 of an id, a colon and a secret.") from None
    return Proof(client_id=name, secret=secret)


def _from_form(form: Mapping[str, str]) -> Proof:
    if "client_assertion" in form:
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise InvalidTokenRequestError(f"client_assertion_type is {_ASSERTION_TYPE}.")
        return Proof(client_id=form.get("client_id"), assertion=form["client_assertion"])
    if "client_secret" in form:
        return Proof(client_id=form.get("client_id"), secret=form["client_secret"])
    raise InvalidClientError("Prove who you are: a Basic header, client_secret, or client_assertion.")
