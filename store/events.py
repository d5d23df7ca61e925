"""Writing events, in the transaction of what they tell of.

The events of one verification are numbered in the statement that inserts them. Whoever emits one holds the
verification's row (or has just inserted it), so that two of them never ask for the same number.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, String, Text, Uuid, bindparam, func, insert, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.event_types import KINDS
from domain.events import NewEvent
from domain.ids import new_id, once
from store.event_order import this_transaction
from store.event_tables import EventRow
from store.tables import table_of
from store.times import fixed, now

_event = table_of(EventRow)
_COLUMNS = (
    "id",
    "account_id",
    "environment",
    "type",
    "version",
    "verification_id",
    "sequence",
    "to_masked",
    "data",
    "transaction",
    "occurred_at",
)


async def emit(connection: AsyncConnection, *events: NewEvent) -> None:
    """Write events in this transaction: those of one verification in one statement, in the order given.

    The last statement of a transaction but the audit entry's: rows that are to be locked have been.
    """
    of_verification = [each for each in events if each.verification_id is not None]
    if of_verification:
        await connection.execute(_of_verification(len(of_verification)), parameters(of_verification))
    for each in events:
        if each.verification_id is None:
            await connection.execute(_ALONE[connection.dialect.name], _values(each, at=0))


def parameters(events: list[NewEvent]) -> dict[str, Any]:
    """Return the parameters of several events of one verification."""
    return {name: value for at, each in enumerate(events) for name, value in _values(each, at=at).items()}


def numbered(at: int = 0) -> Select[Any]:
    """Return the row of the event at a place of the parameters, numbered after all that its verification has."""
    earlier = _event.alias(f"earlier_{at}")
    first = _event.alias(f"first_{at}")
    verification = bindparam(f"of_event_{at}", type_=Uuid())
    newest = select(func.max(earlier.c.sequence)).where(earlier.c.verification_id == verification).scalar_subquery()
    of_first = (
        select(first.c.to_masked)
        .where(first.c.verification_id == verification, first.c.sequence == fixed(1))
        .scalar_subquery()
    )
    return select(
        *_given(at),
        verification.label("verification_id"),
        (func.coalesce(newest, fixed(0)) + fixed(1 + at)).label("sequence"),
        func.coalesce(bindparam(f"to_{at}", type_=String()), of_first).label("to_masked"),
        *_told(at),
    )


def insert_of(rows: Any) -> Any:
    """Return the statement that inserts selected rows."""
    return insert(_event).from_select(list(_COLUMNS), rows, include_defaults=False)


@lru_cache(maxsize=8)
def _of_verification(count: int) -> Any:
    rows = [numbered(at) for at in range(count)]
    return insert_of(rows[0] if count == 1 else union_all(*rows))


def _given(at: int) -> tuple[Any, ...]:
    return (
        bindparam(f"id_{at}", type_=Uuid()).label("id"),
        bindparam(f"account_{at}", type_=Uuid()).label("account_id"),
        bindparam(f"environment_{at}", type_=String()).label("environment"),
        bindparam(f"type_{at}", type_=String()).label("type"),
        bindparam(f"version_{at}", type_=Integer()).label("version"),
    )


def _told(at: int) -> tuple[Any, ...]:
    return (
        bindparam(f"data_{at}", type_=Text()).label("data"),
        this_transaction().label("transaction"),
        now().label("occurred_at"),
    )


def _alone(dialect_insert: Any) -> Any:
    """Build the statement for an event of no verification; one that was told once is not told again."""
    return (
        dialect_insert(_event)
        .values(
            id=bindparam("id_0"),
            account_id=bindparam("account_0"),
            environment=bindparam("environment_0"),
            type=bindparam("type_0"),
            version=bindparam("version_0"),
            data=bindparam("data_0"),
            transaction=this_transaction(),
            occurred_at=now(),
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )


_ALONE: Mapping[str, Any] = {"sqlite": _alone(sqlite.insert), "postgresql": _alone(postgresql.insert)}


def _values(event: NewEvent, *, at: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": event.id or _id(event),
        "account": event.account_id,
        "environment": event.environment.value,
        "type": event.type.value,
        "version": KINDS[event.type].version,
        "data": json.dumps(dict(event.data), ensure_ascii=False, separators=(",", ":")),
    }
    if event.verification_id is not None:
        values |= {"of_event": event.verification_id, "to": event.to}
    return {f"{name}_{at}": value for name, value in values.items()}


def _id(event: NewEvent) -> UUID:
    return new_id() if event.once is None else once(f"{event.account_id.hex}/{event.type}/{event.once}")
