"""What a dispatcher reads and writes: news become deliveries, deliveries that are due are taken, tries are recorded.

One dispatcher works for an endpoint, so nothing is claimed: the endpoint's row is held while its cursor moves and while
tries are recorded, and never while a post is under way.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, and_, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.event_types import EventType, types_matching
from domain.events import Position
from domain.webhooks import Batch, DeliveryStatus, DueDelivery, TryFacts, WebhookFacts, WebhookStatus
from rules.webhooks.schedule import EndpointState, state_of
from store.event_order import IN_ORDER, after, newest_place, place
from store.event_tables import EventRow
from store.reading_events import event_of
from store.tables import table_of
from store.times import fixed, now, now_plus
from store.webhook_tables import Webhook, WebhookDelivery, WebhookTry
from store.webhooks import FACTS, webhook_facts

# How many events become deliveries at once, and how many deliveries are taken at once.
_SPREAD, TAKEN = 500, 200
# A test is for the endpoint that it was asked of.
_POSSIBLE = {each.value for each in EventType if each is not EventType.WEBHOOK_TEST}
_webhook = table_of(Webhook)
_delivery = table_of(WebhookDelivery)
_try = table_of(WebhookTry)
_event = table_of(EventRow)
_OF_ENDPOINT = _delivery.c.webhook_id == bindparam("of_id")
_IS_PENDING = _delivery.c.status == fixed(DeliveryStatus.PENDING)
_BY_ID = select(*FACTS).where(_webhook.c.id == bindparam("of_id"))
_HOLD = _BY_ID.with_for_update()
_DUE = (
    select(_event, _delivery.c.tries, _delivery.c.made)
    .join(_event, _event.c.id == _delivery.c.event_id)
    .where(_OF_ENDPOINT, _IS_PENDING)
)
_DUE_NOW = _DUE.where(_delivery.c.next_try_at <= now()).order_by(*IN_ORDER).limit(TAKEN + 1)
# A probe is one that was tried least, so that an event which nobody can digest does not keep an endpoint down.
# A test that was just asked for goes before all: somebody wants to know whether the endpoint is back.
_IS_FRESH_TEST = and_(_event.c.type == fixed(EventType.WEBHOOK_TEST), _delivery.c.made == fixed(0))
_PROBE = _DUE.order_by(case((_IS_FRESH_TEST, fixed(0)), else_=fixed(1)), _delivery.c.made, *IN_ORDER).limit(1)
_PROBE_NOW = (
    update(_webhook)
    .where(
        _webhook.c.id == bindparam("of_id"),
        _webhook.c.account_id == bindparam("of_account"),
        _webhook.c.environment == bindparam("of_environment"),
        _webhook.c.probe_at > now(),
    )
    .values(probe_at=now())
)
_NEXT = select(func.min(_delivery.c.next_try_at)).where(_OF_ENDPOINT, _IS_PENDING)
_MOVE_CURSOR = (
    update(_webhook)
    .where(_webhook.c.id == bindparam("of_id"))
    .values(cursor_transaction=bindparam("to_transaction"), cursor_number=bindparam("to_number"))
)
# Only from where it was read: its dispatcher may have moved it on meanwhile.
_PASS_OVER = _MOVE_CURSOR.where(
    _webhook.c.cursor_transaction == bindparam("from_transaction"), _webhook.c.cursor_number == bindparam("from_number")
)


def _give(dialect_insert: Any) -> Any:
    """Build the statement that makes deliveries; one that a replay made already stays as it is."""
    values = {"status": DeliveryStatus.PENDING.value, "tries": 0, "made": 0}
    return (
        dialect_insert(_delivery)
        .values(
            webhook_id=bindparam("to_webhook"),
            event_id=bindparam("to_event"),
            number=bindparam("to_number"),
            next_try_at=now(),
            created_at=now(),
            **values,
        )
        .on_conflict_do_nothing()
    )


_GIVE = {"sqlite": _give(sqlite.insert), "postgresql": _give(postgresql.insert)}
_RECORD_TRY = insert(_try).values(tried_at=now())
_ONE_DELIVERY = and_(_OF_ENDPOINT, _delivery.c.event_id == bindparam("of_event"), _IS_PENDING)
_DELIVERED = (
    update(_delivery)
    .where(_ONE_DELIVERY)
    .values(status=DeliveryStatus.DELIVERED.value, made=bindparam("to_made"), next_try_at=None, delivered_at=now())
)
_AGAIN = (
    update(_delivery)
    .where(_ONE_DELIVERY)
    .values(
        tries=bindparam("to_tries"),
        made=bindparam("to_made"),
        next_try_at=now_plus(bindparam("in_s", type_=Integer())),
    )
)
_GIVEN_UP = (
    update(_delivery)
    .where(_ONE_DELIVERY)
    .values(
        status=DeliveryStatus.GIVEN_UP.value, tries=bindparam("to_tries"), made=bindparam("to_made"), next_try_at=None
    )
)
_ALL_NOW = update(_delivery).where(_OF_ENDPOINT, _IS_PENDING, _delivery.c.next_try_at > now()).values(next_try_at=now())
_COUNT_WAITING = select(func.count(fixed(1))).select_from(_delivery).where(_OF_ENDPOINT, _IS_PENDING)


async def hold_webhook(connection: AsyncConnection, webhook_id: UUID) -> WebhookFacts | None:
    """Return an endpoint whoever's it is, and keep others from changing it: for dispatchers, never for callers."""
    row = (await connection.execute(_HOLD, {"of_id": webhook_id})).one_or_none()
    return None if row is None else webhook_facts(row)


async def take_batch(connection: AsyncConnection, webhook_id: UUID) -> Batch | None:
    """Give an endpoint the news, and return what it is to be sent now; None when it is gone or switched off."""
    endpoint = await hold_webhook(connection, webhook_id)
    if endpoint is None or endpoint.status is WebhookStatus.DISABLED:
        return None
    is_more = await _spread(connection, endpoint)
    is_down = state_of(endpoint).is_down
    waits_until = endpoint.probe_at if is_down else endpoint.quiet_until
    if waits_until is not None and waits_until > endpoint.read_at:
        wait_s = (waits_until - endpoint.read_at).total_seconds()
        return Batch(endpoint=endpoint, due=(), is_more=is_more, next_s=wait_s)
    rows = (await connection.execute(_PROBE if is_down else _DUE_NOW, {"of_id": webhook_id})).all()
    due = [DueDelivery(event=event_of(row), tries=row.tries, made=row.made) for row in rows[:TAKEN]]
    is_more = is_more or len(rows) > TAKEN
    return Batch(endpoint=endpoint, due=due, is_more=is_more, next_s=await _next_s(connection, endpoint))


async def pass_over(connection: AsyncConnection, webhook_id: UUID) -> bool:
    """Move an endpoint past its news if its filter lets none of it through; say whether that was so.

    To have a dispatcher find that out costs fifty times as much, every second for an endpoint of a busy account.
    """
    endpoint = await _read(connection, webhook_id)
    if endpoint is None or set(_wanted(endpoint)) >= _POSSIBLE:
        return False
    newest = await newest_place(connection)
    if (await connection.execute(_news(endpoint, newest).limit(1))).first() is not None:
        return False
    moved = {"of_id": webhook_id, "to_transaction": newest.transaction, "to_number": newest.number}
    seen = {"from_transaction": endpoint.cursor.transaction, "from_number": endpoint.cursor.number}
    return bool((await connection.execute(_PASS_OVER, {**moved, **seen})).rowcount)


async def _read(connection: AsyncConnection, webhook_id: UUID) -> WebhookFacts | None:
    row = (await connection.execute(_BY_ID, {"of_id": webhook_id})).one_or_none()
    return None if row is None else webhook_facts(row)


async def _next_s(connection: AsyncConnection, endpoint: WebhookFacts) -> float | None:
    next_at = (await connection.execute(_NEXT, {"of_id": endpoint.id})).scalar()
    return None if next_at is None else max(0.0, (next_at - endpoint.read_at).total_seconds())


async def _spread(connection: AsyncConnection, endpoint: WebhookFacts) -> bool:
    """Make deliveries of events after the cursor, as far as the filter lets them through; say whether more are left."""
    newest = await newest_place(connection)
    if (newest.transaction, newest.number) <= (endpoint.cursor.transaction, endpoint.cursor.number):
        return False
    rows = (await connection.execute(_news(endpoint, newest).order_by(*IN_ORDER).limit(_SPREAD))).all()
    if rows:
        given = [{"to_webhook": endpoint.id, "to_event": row.id, "to_number": row.number} for row in rows]
        await connection.execute(_GIVE[connection.dialect.name], given)
    is_more = len(rows) == _SPREAD
    cursor = Position(transaction=rows[-1].transaction, number=rows[-1].number) if is_more else newest
    moved = {"of_id": endpoint.id, "to_transaction": cursor.transaction, "to_number": cursor.number}
    await connection.execute(_MOVE_CURSOR, moved)
    return is_more


def _news(endpoint: WebhookFacts, newest: Position) -> Select[Any]:
    """Return the query for events after the cursor that the filter lets through."""
    return select(_event.c.transaction, _event.c.number, _event.c.id).where(
        _event.c.account_id == endpoint.account_id,
        _event.c.environment == endpoint.environment.value,
        _event.c.type.in_(_wanted(endpoint)),
        after(*place(endpoint.cursor)),
        _event.c.transaction <= newest.transaction,
    )


def _wanted(endpoint: WebhookFacts) -> list[str]:
    """Return the types that an endpoint's filter lets through."""
    types, _ = types_matching(list(endpoint.events))
    return [each.value for each in types if each.value in _POSSIBLE]


async def give(connection: AsyncConnection, webhook_id: UUID, event_id: UUID) -> None:
    """Make the delivery of one event, written in this transaction, to one endpoint."""
    number = (await connection.execute(select(_event.c.number).where(_event.c.id == event_id))).scalar_one()
    given = {"to_webhook": webhook_id, "to_event": event_id, "to_number": number}
    await connection.execute(_GIVE[connection.dialect.name], given)


async def probe_now(connection: AsyncConnection, facts: WebhookFacts) -> None:
    """Let an endpoint that is down have its next probe at once."""
    whose = {"of_account": facts.account_id, "of_environment": facts.environment.value}
    await connection.execute(_PROBE_NOW, {"of_id": facts.id, **whose})


async def record_tries(connection: AsyncConnection, webhook_id: UUID, tries: Sequence[TryFacts]) -> None:
    """Write down what came of some posts, and when those that failed are tried again."""
    await connection.execute(_RECORD_TRY, [_try_row(webhook_id, each) for each in tries])
    done = [each for each in tries if each.is_delivered]
    again = [each for each in tries if not each.is_delivered and each.next_try_s is not None]
    given_up = [each for each in tries if not each.is_delivered and each.next_try_s is None]
    for statement, some in ((_DELIVERED, done), (_AGAIN, again), (_GIVEN_UP, given_up)):
        if some:
            await connection.execute(statement, [_delivery_row(webhook_id, each) for each in some])


def _try_row(webhook_id: UUID, each: TryFacts) -> dict[str, Any]:
    return {
        "webhook_id": webhook_id,
        "event_id": each.event_id,
        "try_number": each.number,
        "status": each.status,
        "failure": each.failure,
        "latency_ms": each.latency_ms,
        "head": each.head,
    }


def _delivery_row(webhook_id: UUID, each: TryFacts) -> dict[str, Any]:
    row: dict[str, Any] = {"of_id": webhook_id, "of_event": each.event_id, "to_made": each.number}
    if not each.is_delivered:
        row["to_tries"] = each.tries
        if each.next_try_s is not None:
            row["in_s"] = round(each.next_try_s)
    return row


async def write_state(
    connection: AsyncConnection, now_facts: WebhookFacts, state: EndpointState, *, before: WebhookFacts
) -> None:
    """Write how an endpoint does now; when it was down and has come back, all that waited is due.

    `before` are the facts that the state was judged from: since then it has been failing for longer.
    """
    values: dict[str, Any] = {
        "failures": state.failures,
        "failing_since": _moment(before, None if state.failing_for_s is None else -state.failing_for_s),
        "probe_at": _moment(now_facts, state.probe_in_s),
        "quiet_until": _moment(now_facts, state.quiet_for_s),
        "pace": state.pace,
    }
    if state.disabled is not None:
        values |= {"status": WebhookStatus.DISABLED.value, "disabled_reason": state.disabled.value}
    await connection.execute(update(_webhook).where(_webhook.c.id == before.id).values(**values))
    if state_of(before).is_down and not state.is_down:
        await connection.execute(_ALL_NOW, {"of_id": before.id})


async def count_waiting(connection: AsyncConnection, webhook_id: UUID) -> int:
    """Return how many deliveries an endpoint waits for."""
    return int((await connection.execute(_COUNT_WAITING, {"of_id": webhook_id})).scalar_one())


def _moment(endpoint: WebhookFacts, in_s: float | None) -> Any:
    return None if in_s is None else endpoint.read_at + timedelta(seconds=in_s)
