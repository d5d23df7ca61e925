"""Who is calling, and whether they may: a bearer key or token in the Authorization header, and nowhere else."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.addresses import address_of_request
from api.authorisation import ACCOUNT_HEADER, ENVIRONMENT_HEADER, OPERATIONS
from api.parts import Parts
from api.sensitive import ensure_sensitive_allowed
from domain import ids
from domain.errors import NotFoundError, UnauthenticatedError
from domain.facts import Caller as CallerFacts
from domain.operator_errors import AccountNeededError
from domain.request_errors import BadRequestError
from domain.statuses import Environment
from rules.access import ensure_allowed
from services.operator_sessions import ActingOn, is_session

_KNOWN = "countersign.caller"
# An operator's session in a browser, for pages of the Temporal UI (`api/codec_session.py`).
CODEC_COOKIE = "countersign_codec"
_BY_COOKIE = frozenset({"decode_payloads", "close_codec_session"})
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="An API key, or an access token of `POST /oauth2/token`: `Authorization: Bearer cs_test_…`",
)


async def parts_of(request: Request) -> Parts:
    """Return the use cases of this process. Asynchronous, because FastAPI sends plain functions to a thread."""
    parts: Parts = request.app.state.parts
    return parts


ThisApp = Annotated[Parts, Depends(parts_of)]


async def who_calls(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], parts: ThisApp
) -> CallerFacts:
    """Return who calls, having counted the request against the key's rate and found that they may do this.

    Every route that is not public passes here; `api/authorisation.py` says what each asks for. A route that reads a
    body has come here before (`api/bodies.py`), and is told the same again.
    """
    known: CallerFacts | None = request.scope.get(_KNOWN)
    if known is not None:
        return known
    if len(request.headers.getlist("authorization")) > 1:
        raise BadRequestError("Send one Authorization header.", challenge={"error": "invalid_request"})
    operation: str = request.scope["route"].name
    token = _cookie(request, operation) if credentials is None else credentials.credentials
    if token is None:
        raise UnauthenticatedError("Send an API key or an access token: Authorization: Bearer cs_test_…")
    address = address_of_request(request, proxies=parts.proxies)
    try:
        if is_session(token):
            caller = await parts.people.sessions.who_calls(token, address=address, on=acting_on(request))
        else:
            caller = await parts.callers.who_calls(token, address=address)
    except UnauthenticatedError:
        await parts.rates.count_failure(None if address is None else str(address))
        raise
    await parts.rates.admit(caller, is_reading=request.method == "GET")
    access = OPERATIONS[operation]
    ensure_allowed(caller, access)
    if caller.acts_on is None and not access.is_of_instance:
        raise AccountNeededError(f"Say on which account you act: {ACCOUNT_HEADER} and {ENVIRONMENT_HEADER}.")
    if access.is_sensitive:
        await ensure_sensitive_allowed(caller, request, access=access, parts=parts)
    request.scope[_KNOWN] = caller
    return caller


def _cookie(request: Request, operation: str) -> str | None:
    """Return the codec's session, where it may stand for the header: asked for by a page of the UI's or of our own.

    The origin is the browser's word, and pages of others cannot change it; so none of them can use the cookie.
    """
    token = request.cookies.get(CODEC_COOKIE)
    if operation not in _BY_COOKIE or token is None or not is_session(token):
        return None
    origin = request.headers.get("origin")
    # Behind a proxy that ends TLS the scheme is not ours to know; the host is.
    is_own = origin is not None and origin.partition("://")[2] == request.headers.get("host")
    return token if is_own or origin == request.app.state.temporal_ui_origin else None


async def find_out_first(request: Request) -> None:
    """Find out who calls, before anything of a body is read but what an approval is for."""
    await who_calls(request, await _bearer(request), await parts_of(request))


def acting_on(request: Request) -> ActingOn | None:
    """Return on which account, and in which environment, an operator asks to act; None where they do not say.

    Raises:
        AccountNeededError: only one of both is said, or there is no such environment.
        NotFoundError: there is no such account.

    """
    account, environment = request.headers.get(ACCOUNT_HEADER), request.headers.get(ENVIRONMENT_HEADER)
    if account is None and environment is None:
        return None
    if account is None or environment not in set(Environment):
        raise AccountNeededError(f"{ENVIRONMENT_HEADER} is sandbox or production, beside {ACCOUNT_HEADER}.")
    found = ids.parse(account, prefix="acc")
    if found is None:
        raise NotFoundError("There is no such account.")
    return ActingOn(account_id=found, environment=Environment(environment))


Caller = Annotated[CallerFacts, Depends(who_calls)]


async def verification_id(
    caller: Caller,  # noqa: ARG001 - who is not known learns nothing, not even that this can be no id
    verification_id: Annotated[str, Path(description="`ver_…`, as the start answered it", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = ids.parse(verification_id, prefix="ver")
    if parsed is None:
        raise NotFoundError("This account has no verification with this id.")
    return parsed


async def account_id(
    caller: Caller,  # noqa: ARG001 - as above
    account_id: Annotated[str, Path(description="`acc_…`, as the account's creation answered it", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = ids.parse(account_id, prefix="acc")
    if parsed is None:
        raise NotFoundError("There is no account with this id.")
    return parsed


VerificationId = Annotated[UUID, Depends(verification_id)]
AccountId = Annotated[UUID, Depends(account_id)]
