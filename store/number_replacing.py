"""Replacing a number that an account has alone by another of its pool and kind, for what is left of its period."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import new_id
from domain.ids import number_id as public_id
from domain.routing import LeaseFacts, NumberFacts, NumberState
from store.number_leases import NewLease, take_number
from store.number_news import By, tell_moved, tell_started


async def take_replacement(
    connection: AsyncConnection, old: NumberFacts, lease: LeaseFacts, *, left_s: int, most_micros: int | None = None
) -> tuple[NumberFacts, LeaseFacts] | None:
    """Lease a number to the old one's account; None where the pool has none to spare, or none at that monthly price."""
    new = NewLease(
        id=new_id(),
        account_id=lease.account_id,
        environment=lease.environment,
        country=old.country,
        sender_type=old.sender_type,
        period_days=lease.period_days,
        is_renewed=lease.is_renewed,
        lasts_s=left_s,
        most_micros=most_micros,
    )
    return await take_number(connection, new)


async def tell_replaced(
    connection: AsyncConnection,
    *,
    before: NumberFacts,
    old: NumberFacts,
    new: NumberFacts,
    lease: LeaseFacts,
    by: By,
) -> None:
    """Write down that a number took another one's place; what is left of the period is paid for."""
    await tell_moved(connection, new, before=NumberState.AVAILABLE, by=by, replaces=public_id(old.id))
    await tell_started(connection, new, lease, by=by, is_paid=True)
    await tell_moved(connection, old, before=before.state, by=by)
