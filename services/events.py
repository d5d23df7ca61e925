"""Reading events: a page of them, or a stream that goes on while things happen."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import InvalidRequestError, TooManyStreamsError
from domain.event_types import types_matching
from domain.events import BEGINNING, Event, Position
from domain.facts import Caller
from services.webhooks import known_filters
from store.engine import Database
from store.event_order import newest_place
from store.reading_events import EventFilters, events_after, place_of

MAX_PAGE, DEFAULT_PAGE = 200, 50
_LOOK_EVERY_S = 0.5
# Proxies cut a connection on which nothing comes for a minute, some for half of one.
HEARTBEAT_S = 15.0
STREAMS_PER_ACCOUNT, STREAMS_PER_PROCESS = 5, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events are asked for; all when nothing is said."""

    filters: tuple[str, ...] = ("*",)
    verification_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, in order, and after which one to go on: the last of them, also when there are no more yet."""

    items: tuple[Event, ...]
    next_cursor: UUID | None
    is_more: bool


class Events:
    """Answers what an account asks about what happened."""

    def __init__(self, *, database: Database, draining: asyncio.Event) -> None:
        self._database = database
        self._draining = draining
        self._open: Counter[UUID] = Counter()

    async def list(
        self, caller: Caller, query: EventQuery, *, limit: int = DEFAULT_PAGE, cursor: UUID | None = None
    ) -> EventPage:
        """Return a page of events, oldest first. Whoever goes on after its last one misses none.

        Raises:
            InvalidRequestError: the cursor is no event of this account any more, or a filter names no type.

        """
        filters = _filters(caller, query)
        position = BEGINNING if cursor is None else await self._place(caller, cursor)
        async with self._database.reading() as connection:
            found = await events_after(connection, filters, position, limit=limit + 1)
        page = found[:limit]
        return EventPage(items=tuple(page), next_cursor=page[-1].id if page else cursor, is_more=len(found) > limit)

    async def follow(
        self,
        caller: Caller,
        query: EventQuery,
        *,
        after: UUID | None,
        still_allowed: Callable[[], Awaitable[object]],
    ) -> AsyncGenerator[Event | None]:
        """Open a stream after an event, or now: events as they happen, and None while nothing does.

        It has its place when this returns, until it is closed, and ends when this process is to stop. Whatever
        `still_allowed` raises ends it too: a key that was revoked hears no more.

        Raises:
            InvalidRequestError: there is no such event of this account any more, or a filter names no type.
            TooManyStreamsError: the account, or this process, has as many as it may have.

        """
        self._ensure_room(caller.account_id)
        filters = _filters(caller, query)
        opened = self._in_place(caller.account_id, filters, await self._beginning(caller, after), still_allowed)
        await anext(opened)
        return opened

    async def _beginning(self, caller: Caller, after: UUID | None) -> Position:
        if after is not None:
            return await self._place(caller, after)
        async with self._database.reading() as connection:
            return await newest_place(connection)

    def _ensure_room(self, account: UUID) -> None:
        if self._open[account] >= STREAMS_PER_ACCOUNT or self._open.total() >= STREAMS_PER_PROCESS:
            raise TooManyStreamsError(
                f"An account may have {STREAMS_PER_ACCOUNT} event streams open; close one first.", retry_after_s=5
            )

    async def _in_place(
        self, account: UUID, filters: EventFilters, position: Position, still_allowed: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[Event | None]:
        """Take a place, and yield None once it is taken; then what happens. Nothing is awaited in between."""
        self._ensure_room(account)
        self._open[account] += 1
        try:
            yield None
            async with aclosing(self._until_drained(filters, position, still_allowed)) as events:
                async for each in events:
                    yield each
        finally:
            self._open[account] -= 1

    async def _until_drained(
        self, filters: EventFilters, position: Position, still_allowed: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[Event | None]:
        quiet_s = 0.0
        while not self._draining.is_set():
            await still_allowed()
            async with self._database.reading() as connection:
                found = await events_after(connection, filters, position, limit=MAX_PAGE)
            for each in found:
                yield each
                position, quiet_s = each.position, 0.0
            if found:
                continue
            if await _passed(self._draining, _LOOK_EVERY_S):
                quiet_s += _LOOK_EVERY_S
            if quiet_s >= HEARTBEAT_S:
                yield None
                quiet_s = 0.0

    async def _place(self, caller: Caller, event_id: UUID) -> Position:
        async with self._database.reading() as connection:
            found = await place_of(connection, event_id, account_id=caller.account_id, environment=caller.environment)
        if found is None:
            raise InvalidRequestError(
                "This account has no event with this id; events are kept for 30 days. Leave it out to begin anew."
            )
        return found


def _filters(caller: Caller, query: EventQuery) -> EventFilters:
    known_filters(query.filters, parameter="type")
    types: Sequence[str] | None = None
    if "*" not in query.filters:
        types = [each.value for each in types_matching(list(query.filters))[0]]
    return EventFilters(
        account_id=caller.account_id,
        environment=caller.environment,
        types=types,
        verification_id=query.verification_id,
        since=query.since,
        until=query.until,
    )


async def _passed(event: asyncio.Event, seconds: float) -> bool:
    """Wait some seconds, or until something is set; say whether the seconds have passed."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return True
    return False
