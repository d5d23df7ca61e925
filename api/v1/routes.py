"""`/v1/routes/health` and `/v1/routes/explain`: how routes fare, and which one a message would take now."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.routing_models import DryRunIn, DryRunOut, RoutesHealthOut

router = APIRouter(prefix="/v1/routes", tags=["routes"], route_class=StrictRoute)
_Country = Annotated[
    str | None, Query(pattern=r"^[A-Z]{2}$", description="ISO 3166 alpha-2; every country where it is left out.")
]


@router.get("/health", response_model=RoutesHealthOut, responses=problems())
async def read_routes_health(caller: Caller, parts: ThisApp, country: _Country = None) -> Response:
    """Read how routes fare, by carrier, pool and kind of sender, and what was decided about them lately."""
    return answer(RoutesHealthOut.of(await parts.routing.health(caller, country=country)))


@router.post("/explain", response_model=DryRunOut, responses=problems(400))
async def explain_route(body: DryRunIn, caller: Caller, parts: ThisApp) -> Response:
    """Say which route a message to a number would take now, and why. Nothing is sent, and no send is counted."""
    return answer(DryRunOut.of(await parts.routing.explain(caller, body.to, channel=body.channel)))
