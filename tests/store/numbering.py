"""Builders for the tests of numbers: pools that no other test uses, numbers in them, moments moved."""

import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from domain.facts import Caller
from domain.ids import new_id
from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment
from store.engine import Database
from store.number_leases import NewLease
from store.number_tables import NumberLease, RoutingLease, SenderNumber
from store.numbers import NewNumber, find_number, keep_number, reserve_number
from store.tables import table_of
from store.times import now_plus

SANDBOX = Environment.SANDBOX
_countries = (
    name
    for letter, digit in itertools.product("ZYXWVUTSRQPONMLKJIHGFEDCBA", range(10))
    for name in (f"{letter}{digit}", f"{digit}{letter}")
)
_senders = itertools.count(1)


def a_country() -> str:
    """Return a pool that no other test of this process uses: no country has a digit in its code."""
    return next(_countries)


def a_new_number(country: str = "DK", **changes: Any) -> NewNumber:
    values: dict[str, Any] = {
        "id": new_id(),
        "environment": SANDBOX,
        "sender": f"+4477009{next(_senders):05}",
        "sender_type": "long_code",
        "carrier": "alpha",
        "region": "eu",
        "capabilities": frozenset({"sms"}),
        "price_micros": 40_000,
        "monthly_micros": 1_500_000,
    }
    return NewNumber(country=country, **{**values, **changes})


async def a_number(
    database: Database, country: str, *, state: NumberState = NumberState.AVAILABLE, **changes: Any
) -> NumberFacts:
    new = a_new_number(country, **changes)
    async with database.transaction() as connection:
        assert await keep_number(connection, new, state=state)
        found = await find_number(connection, new.id, environment=new.environment)
    assert found is not None
    return found


async def a_reservation(database: Database, caller: Caller, new: NewNumber) -> NumberFacts | None:
    async with database.transaction() as connection:
        return await reserve_number(connection, new, account_id=caller.account_id)


def a_new_lease(caller: Caller, country: str, **changes: Any) -> NewLease:
    values: dict[str, Any] = {"sender_type": "long_code", "period_days": 30, "is_renewed": True}
    return NewLease(
        id=new_id(),
        account_id=caller.account_id,
        environment=caller.environment,
        country=country,
        **{**values, **changes},
    )


async def let_reservation_end(database: Database, number_id: UUID) -> None:
    """Let the half hour of a reservation pass."""
    table = table_of(SenderNumber)
    await _execute(database, update(table).where(table.c.id == number_id).values(state_until=now_plus(-1)))


async def let_routing_lease_end(database: Database, number_id: UUID) -> None:
    """Let a routing lease's time pass."""
    table = table_of(RoutingLease)
    await _execute(database, update(table).where(table.c.number_id == number_id).values(expires_at=now_plus(-1)))


async def let_lease_end(database: Database, lease_id: UUID) -> None:
    """Let a number lease's period pass, without anybody noting it."""
    table, day = table_of(NumberLease), 86_400
    moments = {"started_at": now_plus(-30 * day), "expires_at": now_plus(-1)}
    await _execute(database, update(table).where(table.c.id == lease_id).values(**moments))


async def due_since(database: Database, number_id: UUID, *, seconds: int) -> None:
    """Let a number have had something to do for so long."""
    table = table_of(SenderNumber)
    await _execute(database, update(table).where(table.c.id == number_id).values(due_at=now_plus(-seconds)))


async def let_days_pass(database: Database, number_id: UUID, *, days: float) -> None:
    """Let days go by for a number and its lease, by moving their moments into the past."""
    number, lease, by = table_of(SenderNumber), table_of(NumberLease), timedelta(days=days)
    async with database.transaction() as connection:
        row = (await connection.execute(select(number).where(number.c.id == number_id))).one()
        moments = ("changed_at", "state_until", "due_at", "silent_since")
        moved = {name: getattr(row, name) - by for name in moments if getattr(row, name)}
        await connection.execute(update(number).where(number.c.id == number_id).values(**moved))
        terms = (
            await connection.execute(select(lease).where(lease.c.number_id == number_id, lease.c.ended_at.is_(None)))
        ).one_or_none()
        if terms is not None:
            of_lease = {"started_at": terms.started_at - by, "expires_at": terms.expires_at - by}
            await connection.execute(update(lease).where(lease.c.id == terms.id).values(**of_lease))


async def _execute(database: Database, statement: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)
