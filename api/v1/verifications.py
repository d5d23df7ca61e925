"""`/v1/verifications`: start, check, resend, cancel, read, list."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp, VerificationId
from api.problems import problems
from api.v1.answers import IdempotencyKey, Prefer, answer, done, repeatable, seconds_to_wait
from api.v1.models import (
    CheckOut,
    ListQuery,
    NewCheck,
    NewVerification,
    NumberIn,
    PageOut,
    UnlockedOut,
    VerificationOut,
)
from api.v1.routing_models import RoutingOut
from services.verifications import Done

router = APIRouter(prefix="/v1/verifications", tags=["verifications"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    response_model=VerificationOut,
    responses={
        200: {"model": VerificationOut, "description": "One more message of the pending one"},
        **problems(400, 409),
    },
)
async def start_verification(
    body: NewVerification,
    caller: Caller,
    parts: ThisApp,
    idempotency_key: IdempotencyKey,
    prefer: Prefer = None,
) -> Response:
    """Start verifying a number. The first message leaves after this returns.

    While a verification of the number is pending, this is a resend of it, and what else the body says is not looked
    at: 200 with the same id, or 429 `too-soon`.
    """
    again = repeatable(idempotency_key, what="start", body=body)
    outcome = await parts.verifications.start(caller, body.to_request(), repeatable=again)
    wait_s = seconds_to_wait(prefer)
    if not wait_s or not isinstance(outcome, Done):
        return done(outcome)
    view = await parts.reading.read_submitted(caller, outcome.view.facts.id, within_s=wait_s)
    response = done(outcome, view=view)
    response.headers["Preference-Applied"] = f"wait={wait_s}"
    return response


@router.post("/unlock", response_model=UnlockedOut, responses=problems(400))
async def unlock_number(body: NumberIn, caller: Caller, parts: ThisApp) -> Response:
    """Lift the lock that too many wrong codes in a row put on a number, and forget its failures."""
    return answer(UnlockedOut(unlocked=await parts.verifications.unlock(caller, body.to)))


@router.post("/{verification_id}/checks", response_model=CheckOut, responses=problems(400, 409))
async def check_code(verification_id: VerificationId, body: NewCheck, caller: Caller, parts: ThisApp) -> Response:
    """Check the code a user typed.

    A wrong one is counted; the last one that may be wrong answers `max_attempts_reached`. After the end the answer is
    409 `verification-finished`, except that a right code inside the lifetime is answered as approved again.
    """
    return answer(CheckOut.of(await parts.checks.check(caller, verification_id, body.code)))


@router.post("/{verification_id}/resend", response_model=VerificationOut, responses=problems(409))
async def resend_code(
    verification_id: VerificationId, caller: Caller, parts: ThisApp, idempotency_key: IdempotencyKey
) -> Response:
    """Send one more message, on a route not used yet where there is one. Wrong codes stay counted."""
    again = repeatable(idempotency_key, what=f"resend/{verification_id}")
    return done(await parts.verifications.resend(caller, verification_id, repeatable=again))


@router.post("/{verification_id}/cancel", response_model=VerificationOut, responses=problems(409))
async def cancel_verification(verification_id: VerificationId, caller: Caller, parts: ThisApp) -> Response:
    """End a verification; its codes are worth nothing from then on."""
    return answer(VerificationOut.of(await parts.verifications.cancel(caller, verification_id)))


@router.get("/{verification_id}", response_model=VerificationOut, responses=problems())
async def read_verification(verification_id: VerificationId, caller: Caller, parts: ThisApp) -> Response:
    """Read a verification with its attempts."""
    return answer(VerificationOut.of(await parts.reading.read(caller, verification_id)))


@router.get("/{verification_id}/routing", response_model=RoutingOut, responses=problems())
async def read_verification_routing(verification_id: VerificationId, caller: Caller, parts: ThisApp) -> Response:
    """Read why each attempt of a verification took its route: what there was, what was removed by which rules."""
    return answer(RoutingOut.of(verification_id, await parts.routing.of_verification(caller, verification_id)))


@router.get("", response_model=PageOut, responses=problems())
async def list_verifications(query: Annotated[ListQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List verifications, newest first."""
    page = await parts.reading.list(
        caller,
        status=query.status,
        country=query.country,
        created_after=query.created_after,
        limit=query.limit,
        cursor=query.cursor,
    )
    return answer(PageOut.of(page))
