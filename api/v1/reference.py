"""`/v1/countries` and `/v1/limits`: what holds here, for everyone to read."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.callers import Caller, ThisApp
from api.problems import problems

router = APIRouter(prefix="/v1", tags=["reference"])


@router.get("/countries", responses=problems())
async def list_countries(caller: Caller, parts: ThisApp) -> Response:  # noqa: ARG001 - a key is asked for
    """List sender rules by country, each with the date it was looked up and how sure it is."""
    return JSONResponse(parts.countries)


@router.get("/limits", responses=problems())
async def list_limits(caller: Caller, parts: ThisApp) -> Response:  # noqa: ARG001 - a key is asked for
    """List the limits that hold on this instance."""
    return JSONResponse(dict(parts.limits))
