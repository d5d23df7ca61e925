"""Writing down what happens to numbers, in the transaction in which it happens: an event and an audit entry each."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import AuditEntry, JsonScalar
from domain.event_types import EventType
from domain.events import NewEvent, Value
from domain.ids import number_id as public_id
from domain.moments import moment
from domain.routing import LeaseFacts, NumberFacts, NumberState
from rules.routing.lease_life import period_price_micros
from store.audit import record
from store.events import emit


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Whose chain and events a change belongs to, and who made it; no account: the instance's chain, and no event."""

    account_id: UUID | None
    actor: str


async def tell_moved(
    connection: AsyncConnection, number: NumberFacts, *, before: NumberState | None, by: By, **details: JsonScalar
) -> None:
    """Write down that a number moved on: an event for its account, if it has one, and an entry in the audit trail."""
    data: dict[str, Value] = {
        "status": number.state.value,
        "previous_status": None if before is None else before.value,
        "reason": number.state_reason,
    }
    await tell(connection, number, EventType.NUMBER_STATUS_CHANGED, by=by, data=data, details=details)


async def tell(
    connection: AsyncConnection,
    number: NumberFacts,
    event_type: EventType,
    *,
    by: By,
    data: Mapping[str, Value],
    details: Mapping[str, JsonScalar] | None = None,
) -> None:
    """Write down what happened to a number: the event for its account, if it has one, and the audit entry.

    The entry has the event's fields, and `details` beside them.
    """
    about: dict[str, Value] = {"pool_country": number.country, "carrier": number.carrier, **data}
    if by.account_id is not None:
        event = NewEvent(
            type=event_type,
            account_id=by.account_id,
            environment=number.environment,
            data={"number_id": public_id(number.id), **about},
        )
        await emit(connection, event)
    entry = AuditEntry(
        account_id=by.account_id,
        environment=number.environment,
        actor=by.actor,
        action=event_type.value,
        subject=public_id(number.id),
        details={**about, **(details or {})},
    )
    await record(connection, entry)


async def tell_started(
    connection: AsyncConnection, number: NumberFacts, lease: LeaseFacts, *, by: By, is_paid: bool = False
) -> None:
    """Write down that the first period of a lease began, and what it costs; nothing, where it is paid for already."""
    data: dict[str, Value] = {**_period(lease), "use": lease.use.value}
    free: dict[str, Value] = {"price_micros": 0} if is_paid else {}
    await tell(connection, number, EventType.NUMBER_LEASE_STARTED, by=by, data={**data, **free})


async def tell_renewed(
    connection: AsyncConnection, number: NumberFacts, lease: LeaseFacts, *, by: By, is_automatic: bool
) -> None:
    """Write down that a lease lasts one period more, and what that costs."""
    data: dict[str, Value] = {**_period(lease), "automatic": is_automatic}
    await tell(connection, number, EventType.NUMBER_LEASE_RENEWED, by=by, data=data)


def _period(lease: LeaseFacts) -> dict[str, Value]:
    return {
        "expires_at": moment(lease.expires_at),
        "period_days": lease.period_days,
        "price_micros": period_price_micros(lease),
        "currency": lease.currency,
    }
