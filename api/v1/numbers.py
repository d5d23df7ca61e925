"""`/v1/numbers`: parse, one call, view."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import IdempotencyKey, answer, repeatable
from api.v1.number_models import (
    AvailableNumbersOut,
    AvailableQuery,
    NewLeaseIn,
    NewReservation,
    NumberChange,
    NumberOut,
    NumbersOut,
    NumbersQuery,
    QuarantineIn,
    ReleaseIn,
)
from domain import ids
from domain.errors import NotFoundError
from domain.routing import NumberView
from services.idempotency import StoredAnswer

router = APIRouter(prefix="/v1/numbers", tags=["numbers"], route_class=StrictRoute)


async def number_id(
    caller: Caller,  # noqa: ARG001 - who is not known learns nothing, not even that this can be no id
    number_id: Annotated[str, Path(description="`num_…`, as the reservation or a list answered it", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = ids.parse(number_id, prefix="num")
    if parsed is None:
        raise NotFoundError("This account has no number with this id.")
    return parsed


NumberId = Annotated[UUID, Depends(number_id)]


@router.get("/available", response_model=AvailableNumbersOut, responses=problems())
async def list_available_numbers(query: Annotated[AvailableQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List numbers that carriers have to give: the first that fit, of each carrier."""
    found = await parts.numbers.search.find(caller, query.country, sender_type=query.type, capability=query.capability)
    return answer(AvailableNumbersOut.of(found))


@router.post("/reservations", status_code=201, response_model=NumberOut, responses=problems(400, 409))
async def reserve_number(body: NewReservation, caller: Caller, parts: ThisApp) -> Response:
    """Reserve a number for 30 minutes. It lapses by itself unless it is leased before."""
    model = NumberOut.of(await parts.numbers.search.reserve(caller, body.to_request()))
    return answer(model, status=201, headers={"Location": f"/v1/numbers/{model.id}"})


@router.post("", status_code=201, response_model=NumberOut, responses=problems(400, 409))
async def lease_number(body: NewLeaseIn, caller: Caller, parts: ThisApp, key: IdempotencyKey) -> Response:
    """Lease a number. One that you reserved is ordered from its carrier: its status tells when it is `leased`."""
    asked = repeatable(key, what="POST /v1/numbers", body=body, render=_render)
    return _leased(await parts.numbers.leasing.lease(caller, body.to_request(), repeatable=asked))


@router.get("", response_model=NumbersOut, responses=problems())
async def list_numbers(query: Annotated[NumbersQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List the numbers that the account has reserved or leased, the newest first."""
    page = await parts.numbers.held.list(
        caller, limit=query.limit, country=query.country, state=query.status, cursor=query.cursor
    )
    return answer(NumbersOut.of(page))


@router.get("/{number_id}", response_model=NumberOut, responses=problems())
async def read_number(number_id: NumberId, caller: Caller, parts: ThisApp) -> Response:
    """Read a number of the account, or of a pool."""
    return answer(NumberOut.of(await parts.numbers.held.read(caller, number_id)))


@router.patch("/{number_id}", response_model=NumberOut, responses=problems(400, 409))
async def change_number(number_id: NumberId, body: NumberChange, caller: Caller, parts: ThisApp) -> Response:
    """Change the period of a lease and whether it is renewed, from its next period on."""
    return answer(NumberOut.of(await parts.numbers.held.change(caller, number_id, body.to_request())))


@router.post("/{number_id}/renew", response_model=NumberOut, responses=problems(409))
async def renew_number(number_id: NumberId, caller: Caller, parts: ThisApp) -> Response:
    """Let the lease of a number last one period more."""
    return answer(NumberOut.of(await parts.numbers.operations.renew(caller, number_id)))


@router.post("/{number_id}/rotate", response_model=NumberOut, responses=problems(409))
async def rotate_number(number_id: NumberId, caller: Caller, parts: ThisApp) -> Response:
    """Replace a number by another of its pool and kind, for what is left of its period. The answer is the new one."""
    return answer(NumberOut.of(await parts.numbers.operations.rotate(caller, number_id)))


@router.post("/{number_id}/quarantine", response_model=NumberOut, responses=problems(400, 409))
async def quarantine_number(
    number_id: NumberId, caller: Caller, parts: ThisApp, body: QuarantineIn | None = None
) -> Response:
    """Set a number aside for some hours, 24 unless a body says otherwise: nothing is begun with it."""
    hours = (body or QuarantineIn()).hours
    return answer(NumberOut.of(await parts.numbers.operations.quarantine(caller, number_id, hours=hours)))


@router.post("/{number_id}/restore", response_model=NumberOut, responses=problems(409))
async def restore_number(number_id: NumberId, caller: Caller, parts: ThisApp) -> Response:
    """Put a number that was set aside back into service."""
    return answer(NumberOut.of(await parts.numbers.operations.restore(caller, number_id)))


@router.post("/{number_id}/release", response_model=NumberOut, responses=problems(400, 409))
async def release_number(
    number_id: NumberId, caller: Caller, parts: ThisApp, body: ReleaseIn | None = None
) -> Response:
    """Give a number back and end its lease. It rests before another account may have it."""
    drain = (body or ReleaseIn()).drain
    return answer(NumberOut.of(await parts.numbers.operations.release(caller, number_id, drain=drain)))


def _leased(outcome: NumberView | StoredAnswer) -> Response:
    """Return the answer to a lease: fresh, or word for word what the first request was told."""
    if isinstance(outcome, StoredAnswer):
        headers = {"Idempotency-Replayed": "true", "Location": f"/v1/numbers/{json.loads(outcome.body)['id']}"}
        return Response(outcome.body, status_code=outcome.status, headers=headers, media_type="application/json")
    model = NumberOut.of(outcome)
    return answer(model, status=201, headers={"Location": f"/v1/numbers/{model.id}"})


def _render(view: NumberView) -> str:
    return NumberOut.of(view).model_dump_json()
