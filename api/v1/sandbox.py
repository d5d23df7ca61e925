"""`/v1/sandbox`: the outbox and the carriers' scripts. Nothing here exists for production keys."""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, Strict

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.sandbox import BehaviourView, SandboxBehaviour, SandboxMessage

router = APIRouter(prefix="/v1/sandbox", tags=["sandbox"], route_class=StrictRoute)
_E164 = r"^\+[1-9][0-9]{6,14}$"
CarrierName = Annotated[str, Path(max_length=32, examples=["alpha"])]


class MessageOut(BaseModel):
    """A text as the handset shows it."""

    to: str
    text: str
    sender: str
    carrier: str
    attempt_id: str
    sent_at: Instant

    @classmethod
    def of(cls, message: SandboxMessage) -> Self:
        """Return the model of a message."""
        return cls(
            to=message.to,
            text=message.text,
            sender=message.sender,
            carrier=message.carrier,
            attempt_id=message.attempt_id,
            sent_at=message.sent_at,
        )


class MessagesOut(BaseModel):
    """The outbox, newest last."""

    messages: list[MessageOut]


class MessagesQuery(StrictBody):
    """To which number; to all when left out."""

    to: str | None = Field(default=None, pattern=_E164, description="E.164, with the plus as %2B.")


class BehaviourIn(StrictBody):
    """How a carrier is to treat this account's messages: all or those to one number, for good or for so many."""

    behaviour: SandboxBehaviour
    latency_ms: Annotated[int, Strict()] = Field(default=0, ge=0, le=60_000)
    times: Annotated[int, Strict()] | None = Field(default=None, ge=1, le=1_000_000)
    to: str | None = Field(default=None, pattern=_E164)


class BehaviourOut(BaseModel):
    """How a carrier behaves; `times` is how many messages that is still for."""

    carrier: str
    behaviour: SandboxBehaviour
    latency_ms: int
    times: int | None
    to: str | None

    @classmethod
    def of(cls, view: BehaviourView) -> Self:
        """Return the model of a behaviour."""
        return cls(
            carrier=view.carrier,
            behaviour=view.behaviour,
            latency_ms=view.latency_ms,
            times=view.times,
            to=view.to,
        )


class BehavioursOut(BaseModel):
    """All carriers' behaviours."""

    carriers: list[BehaviourOut]


@router.get("/messages", response_model=MessagesOut, responses=problems())
async def read_outbox(query: Annotated[MessagesQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """Read the messages of the last hour, newest last."""
    found = await parts.sandbox.messages(caller, to=query.to)
    return answer(MessagesOut(messages=[MessageOut.of(each) for each in found]))


@router.get("/carriers", response_model=BehavioursOut, responses=problems())
async def list_carriers(caller: Caller, parts: ThisApp) -> Response:
    """List the carriers and how each treats this account's messages."""
    found = await parts.sandbox.behaviours(caller)
    return answer(BehavioursOut(carriers=[BehaviourOut.of(each) for each in found]))


@router.put("/carriers/{carrier}", response_model=BehaviourOut, responses=problems(400))
async def script_carrier(carrier: CarrierName, body: BehaviourIn, caller: Caller, parts: ThisApp) -> Response:
    """Script a carrier for this account's messages."""
    view = await parts.sandbox.set_behaviour(
        caller, carrier, behaviour=body.behaviour, latency_ms=body.latency_ms, times=body.times, to=body.to
    )
    return answer(BehaviourOut.of(view))


@router.delete("/carriers/{carrier}", status_code=204, responses=problems())
async def restore_carrier(carrier: CarrierName, caller: Caller, parts: ThisApp) -> Response:
    """Take back this account's orders to a carrier; nobody else's are touched."""
    await parts.sandbox.reset(caller, carrier)
    return Response(status_code=204)
