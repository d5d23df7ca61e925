"""Reading events in their order, and forgetting them when they are old."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import Event, Position
from domain.statuses import Environment
from store.event_order import CAN_BE_READ, IN_ORDER, after, place
from store.event_tables import EventRow
from store.tables import table_of
from store.times import now_plus

KEPT_DAYS = 30
_DAY_S = 86_400
_AT_ONCE = 5_000
_event = table_of(EventRow)
COLUMNS = tuple(_event.c)
_PLACE_OF = select(_event.c.transaction, _event.c.number).where(
    _event.c.id == bindparam("of_event"),
    _event.c.account_id == bindparam("of_account"),
    _event.c.environment == bindparam("of_environment"),
)
_OLDEST = select(_event.c.number).order_by(_event.c.number).limit(_AT_ONCE).scalar_subquery()
# By number, of which the smallest are the oldest, so that nothing is searched through.
_FORGET = delete(_event).where(_event.c.number.in_(_OLDEST), _event.c.occurred_at < now_plus(-KEPT_DAYS * _DAY_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilters:
    """Which events of one account in one environment are asked for; None is all."""

    account_id: UUID
    environment: Environment
    types: Sequence[str] | None = None
    verification_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def events_after(
    connection: AsyncConnection, filters: EventFilters, position: Position, *, limit: int
) -> list[Event]:
    """Return events after a place, in order; none that a late transaction could still come before."""
    query = (
        select(_event)
        .where(*conditions(filters), after(*place(position)), CAN_BE_READ)
        .order_by(*IN_ORDER)
        .limit(limit)
    )
    return [event_of(row) for row in await connection.execute(query)]


async def place_of(
    connection: AsyncConnection, event_id: UUID, *, account_id: UUID, environment: Environment
) -> Position | None:
    """Return the place of an event of one account; None when it is not there, or no longer."""
    whose = {"of_event": event_id, "of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(_PLACE_OF, whose)).one_or_none()
    return None if row is None else Position(transaction=row.transaction, number=row.number)


async def forget_old_events(connection: AsyncConnection) -> int:
    """Forget events of more than thirty days ago, some thousands at once; return how many."""
    return int((await connection.execute(_FORGET)).rowcount)


def conditions(filters: EventFilters) -> list[ColumnElement[bool]]:
    """Return what an event must meet to be of those asked for."""
    found: list[ColumnElement[bool]] = [
        _event.c.account_id == filters.account_id,
        _event.c.environment == filters.environment.value,
    ]
    if filters.types is not None:
        found.append(_event.c.type.in_(filters.types))
    if filters.verification_id is not None:
        found.append(_event.c.verification_id == filters.verification_id)
    if filters.since is not None:
        found.append(_event.c.occurred_at >= filters.since)
    if filters.until is not None:
        found.append(_event.c.occurred_at < filters.until)
    return found


def event_of(row: Any) -> Event:
    """Return the event of a row of the event table."""
    return Event(
        id=row.id,
        position=Position(transaction=row.transaction, number=row.number),
        account_id=row.account_id,
        environment=Environment(row.environment),
        type=row.type,
        version=row.version,
        verification_id=row.verification_id,
        sequence=row.sequence,
        to=row.to_masked,
        data=json.loads(row.data),
        occurred_at=row.occurred_at,
    )
