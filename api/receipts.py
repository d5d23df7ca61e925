"""`POST /receipts/{carrier}`: carriers tell what became of a message. Authenticated by the carrier's own signature."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.callers import ThisApp
from api.problems import problems

router = APIRouter(tags=["receipts"])


@router.post("/receipts/{carrier}", status_code=204, responses=problems(401, 404))
async def take_receipt(carrier: Annotated[str, Path(max_length=32)], request: Request, parts: ThisApp) -> Response:
    """Store a receipt."""
    await parts.receipts.arrive(carrier, body=await request.body(), headers=request.headers)
    return Response(status_code=204)
