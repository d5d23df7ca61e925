"""Deliveries as accounts see them and ask for them: lists with every try, replays, tests; and forgetting old ones."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, delete, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.webhooks import DeliveryStatus, DeliveryView, TryView
from store.event_order import CAN_BE_READ
from store.event_tables import EventRow
from store.reading_events import KEPT_DAYS, EventFilters, conditions
from store.tables import table_of
from store.times import fixed, now, now_plus
from store.webhook_tables import WebhookDelivery, WebhookTry

# As many as one request puts into the queue again.
REPLAYED_AT_ONCE = 10_000
_DAY_S = 86_400
_AT_ONCE = 5_000
_delivery = table_of(WebhookDelivery)
_try = table_of(WebhookTry)
_event = table_of(EventRow)
_OLD = (
    select(_delivery.c.webhook_id, _delivery.c.event_id)
    .where(_delivery.c.created_at < now_plus(-KEPT_DAYS * _DAY_S))
    .order_by(_delivery.c.created_at)
    .limit(_AT_ONCE)
)
_FORGET = delete(_delivery).where(
    _delivery.c.webhook_id == bindparam("of_id"), _delivery.c.event_id == bindparam("of_event")
)


def _again(dialect_insert: Any, rows: Any) -> Any:
    """Build the statement that makes deliveries due, those that were made before as if they never had been tried."""
    names = ["webhook_id", "event_id", "number", "status", "tries", "made", "next_try_at", "created_at"]
    return (
        dialect_insert(_delivery)
        .from_select(names, rows, include_defaults=False)
        .on_conflict_do_update(
            index_elements=["webhook_id", "event_id"],
            set_={
                "status": DeliveryStatus.PENDING.value,
                "tries": 0,
                "next_try_at": now(),
                "delivered_at": None,
            },
        )
    )


_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


async def deliver_again(
    connection: AsyncConnection, webhook_id: UUID, filters: EventFilters, *, event_id: UUID | None = None
) -> tuple[int, datetime | None]:
    """Make deliveries of events due, oldest first; return how many, and where to go on when there are more."""
    wanted = [*conditions(filters), CAN_BE_READ]
    if event_id is not None:
        wanted.append(_event.c.id == event_id)
    last = await _last_of_a_page(connection, wanted)
    if last is not None:
        wanted.append(_event.c.number <= last.number)
    rows = select(
        literal(webhook_id, Uuid()),
        _event.c.id,
        _event.c.number,
        fixed(DeliveryStatus.PENDING),
        fixed(0),
        fixed(0),
        now(),
        now(),
    ).where(*wanted)
    made = await connection.execute(_again(_INSERTS[connection.dialect.name], rows))
    return int(made.rowcount), None if last is None else last.occurred_at


async def _last_of_a_page(connection: AsyncConnection, wanted: Sequence[ColumnElement[bool]]) -> Any:
    """Return the last event of as many as are replayed at once; None when there are fewer."""
    query = select(_event.c.number, _event.c.occurred_at).where(*wanted).order_by(_event.c.number)
    return (await connection.execute(query.offset(REPLAYED_AT_ONCE - 1).limit(1))).one_or_none()


async def deliveries_of(
    connection: AsyncConnection,
    webhook_id: UUID,
    *,
    limit: int,
    status: DeliveryStatus | None = None,
    event_id: UUID | None = None,
    before: int | None = None,
) -> list[DeliveryView]:
    """Return an endpoint's deliveries with every try, those of the newest events first."""
    query = (
        select(_delivery, _event.c.type)
        .join(_event, _event.c.id == _delivery.c.event_id)
        .where(_delivery.c.webhook_id == webhook_id)
        .order_by(_delivery.c.number.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(_delivery.c.status == status.value)
    if event_id is not None:
        query = query.where(_delivery.c.event_id == event_id)
    if before is not None:
        query = query.where(_delivery.c.number < before)
    rows = (await connection.execute(query)).all()
    tries = await _tries_of(connection, webhook_id, [row.event_id for row in rows])
    return [_view(row, tries[row.event_id]) for row in rows]


async def _tries_of(connection: AsyncConnection, webhook_id: UUID, events: list[UUID]) -> dict[UUID, list[TryView]]:
    found: dict[UUID, list[TryView]] = defaultdict(list)
    query = select(_try).where(_try.c.webhook_id == webhook_id, _try.c.event_id.in_(events)).order_by(_try.c.try_number)
    for row in await connection.execute(query):
        found[row.event_id].append(
            TryView(
                number=row.try_number,
                tried_at=row.tried_at,
                status=row.status,
                failure=row.failure,
                latency_ms=row.latency_ms,
                head=row.head,
            )
        )
    return found


async def forget_old_deliveries(connection: AsyncConnection) -> int:
    """Forget deliveries of more than thirty days ago with their tries, some thousands at once; return how many."""
    old = (await connection.execute(_OLD)).all()
    if old:
        await connection.execute(_FORGET, [{"of_id": row.webhook_id, "of_event": row.event_id} for row in old])
    return len(old)


def _view(row: Any, tries: list[TryView]) -> DeliveryView:
    return DeliveryView(
        event_id=row.event_id,
        event_type=row.type,
        number=row.number,
        status=DeliveryStatus(row.status),
        created_at=row.created_at,
        delivered_at=row.delivered_at,
        next_try_at=row.next_try_at,
        tries=tuple(tries),
    )
