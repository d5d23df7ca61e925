"""The order in which events may be read: a reader that has come to a place has missed nothing before it.

On PostgreSQL a number from a sequence is no such order: a transaction that took a small number may commit after one
that took a greater one, and a reader in between would never see it. So each event carries the id of the transaction
that wrote it, readers order by that first, and stop before the oldest transaction that is still running: whatever is
below has committed or never will. On SQLite writers stand in line, and the number itself is the order.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from domain.events import Position
from store.event_tables import EventRow
from store.tables import table_of

_event = table_of(EventRow)
_LAST_NUMBER = 2**63 - 1


class this_transaction(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The id of the transaction that the statement runs in; 0 on SQLite, where the number says it all."""

    type = BigInteger()
    inherit_cache = True


class horizon(FunctionElement[int]):  # noqa: N801 - as above
    """The oldest transaction that is still running: events of all before it can be seen, or do not exist."""

    type = BigInteger()
    inherit_cache = True


@compiles(this_transaction, "postgresql")
def _this_transaction_postgresql(_: this_transaction, __: SQLCompiler, **___: Any) -> str:
    return "pg_current_xact_id()::text::bigint"


@compiles(this_transaction, "sqlite")
def _this_transaction_sqlite(_: this_transaction, __: SQLCompiler, **___: Any) -> str:
    return "0"


@compiles(horizon, "postgresql")
def _horizon_postgresql(_: horizon, __: SQLCompiler, **___: Any) -> str:
    return "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


@compiles(horizon, "sqlite")
def _horizon_sqlite(_: horizon, __: SQLCompiler, **___: Any) -> str:
    return "1"


_PLACE = tuple_(_event.c.transaction, _event.c.number)
CAN_BE_READ = _event.c.transaction < horizon()
IN_ORDER = (_event.c.transaction, _event.c.number)


def after(transaction: ColumnElement[int], number: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition for events that come after a place."""
    return tuple_(transaction, number) < _PLACE


async def newest_place(connection: AsyncConnection) -> Position:
    """Return the place after which everything comes that is not there to be read yet."""
    on_sqlite = connection.dialect.name == "sqlite"
    # On SQLite there is nothing under way: the last number given out.
    query = select(_event.c.number).order_by(_event.c.number.desc()).limit(1) if on_sqlite else select(horizon())
    found = (await connection.execute(query)).scalar()
    if on_sqlite:
        return Position(transaction=0, number=int(found or 0))
    return Position(transaction=int(found or 0) - 1, number=_LAST_NUMBER)


def place(position: Position) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return a position as the two values that `after` compares with."""
    return literal(position.transaction, BigInteger), literal(position.number, BigInteger)
