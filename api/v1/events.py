"""`/v1/events`: what happened, as a list to go on from or as a stream."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from api.addresses import address_of_request
from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.models import Moment, StrictBody
from api.v1.moments import Instant
from domain import ids
from domain.errors import DomainError, InvalidRequestError
from domain.events import Event
from domain.ids import event_id
from services.events import DEFAULT_PAGE, MAX_PAGE, EventPage, EventQuery

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=StrictRoute)
_AS_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_Types = Annotated[
    list[Annotated[str, Field(max_length=48)]] | None,
    Field(max_length=50, description="A type, all of a subject (`verification.*`), or `*`; repeatable."),
]


class EventsQuery(StrictBody):
    """Which events."""

    type: _Types = None
    verification_id: str | None = Field(default=None, max_length=64)
    since: Moment | None = None
    until: Moment | None = None
    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=64, description="Go on after this event: `evt_…`.")

    def to_query(self) -> EventQuery:
        """Return what the use case takes."""
        return EventQuery(
            filters=tuple(self.type or ["*"]),
            verification_id=_id(self.verification_id, prefix="ver", field="verification_id"),
            since=self.since,
            until=self.until,
        )


class StreamQuery(StrictBody):
    """Which events of those to come."""

    type: _Types = None
    verification_id: str | None = Field(default=None, max_length=64)


class EventOut(BaseModel):
    """An event; `data` has the fields of its type, which the webhooks of this document describe."""

    id: str
    type: str
    version: int
    timestamp: Instant
    environment: str
    sequence: int | None = Field(description="Counts the events of one verification from 1, without gaps.")
    data: dict[str, Any]


class EventsOut(BaseModel):
    """A page of events, oldest first. Go on with `next_cursor`, at once or later: nothing is ever put in before it."""

    events: list[EventOut]
    next_cursor: str | None
    has_more: bool


@router.get("", response_model=EventsOut, responses=problems())
async def list_events(query: Annotated[EventsQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List events, oldest first, for 30 days."""
    cursor = _id(query.cursor, prefix="evt", field="cursor")
    page = await parts.events.list(caller, query.to_query(), limit=query.limit, cursor=cursor)
    return JSONResponse(_page(page))


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events"}, **problems()},
)
async def stream_events(
    query: Annotated[StreamQuery, Query()],
    request: Request,
    caller: Caller,
    parts: ThisApp,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> StreamingResponse:
    """Follow events as they happen, as server-sent events.

    `Last-Event-ID` goes on after an event; without it the stream begins with what happens next. A comment comes every
    15 seconds when nothing happens. The stream ends when the process stops or the key is revoked: connect again.
    """
    wanted = EventsQuery(type=query.type, verification_id=query.verification_id).to_query()
    after = _id(last_event_id, prefix="evt", field="Last-Event-ID")
    key = request.headers["authorization"].partition(" ")[2]
    address = address_of_request(request, proxies=parts.proxies)
    followed = await parts.events.follow(
        caller, wanted, after=after, still_allowed=partial(parts.callers.who_calls, key, address=address)
    )
    return StreamingResponse(_lines(followed), media_type="text/event-stream", headers=_AS_STREAM)


async def _lines(followed: AsyncGenerator[Event | None]) -> AsyncIterator[str]:
    """Yield a stream's text. The answer has begun, so a refusal can only end it; who connects again is told."""
    with suppress(DomainError):
        async with aclosing(followed):
            yield ":\n\n"
            async for event in followed:
                yield ":\n\n" if event is None else _line(event)


def _line(event: Event) -> str:
    told = json.dumps(event.as_told(), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event_id(event.id)}\nevent: {event.type}\ndata: {told}\n\n"


def _page(page: EventPage) -> dict[str, Any]:
    return {
        "events": [each.as_told() for each in page.items],
        "next_cursor": None if page.next_cursor is None else event_id(page.next_cursor),
        "has_more": page.is_more,
    }


def _id(text: str | None, *, prefix: str, field: str) -> UUID | None:
    if text is None:
        return None
    parsed = ids.parse(text, prefix=prefix)
    if parsed is None:
        raise InvalidRequestError(f"{field}: an id that begins with {prefix}_, as an answer gave it.")
    return parsed
