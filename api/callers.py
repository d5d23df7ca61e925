"""Who is calling: a bearer key in the Authorization header, and nowhere else."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.parts import Parts
from domain import ids
from domain.errors import NotFoundError, UnauthenticatedError
from domain.facts import Caller as CallerFacts

_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `Authorization: Bearer cs_test_…`")


async def parts_of(request: Request) -> Parts:
    """Return the use cases of this process. Asynchronous, because FastAPI sends plain functions to a thread."""
    parts: Parts = request.app.state.parts
    return parts


ThisApp = Annotated[Parts, Depends(parts_of)]


async def who_calls(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], parts: ThisApp
) -> CallerFacts:
    """Return who calls, having counted the request against the key's rate."""
    if credentials is None:
        raise UnauthenticatedError("Send an API key: Authorization: Bearer cs_test_…")
    caller = await parts.accounts.who_calls(credentials.credentials)
    await parts.rates.admit(caller, is_reading=request.method == "GET")
    return caller


async def verification_id(
    verification_id: Annotated[str, Path(description="`ver_…`, as the start answered it", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = ids.parse(verification_id, prefix="ver")
    if parsed is None:
        raise NotFoundError("This account has no verification with this id.")
    return parsed


Caller = Annotated[CallerFacts, Depends(who_calls)]
VerificationId = Annotated[UUID, Depends(verification_id)]
