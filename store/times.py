"""Time in SQL: aware datetimes in columns, and the database's own clock in statements.

Facts are stamped and compared with the database's clock, so that a wrong clock on an API node or a worker cannot
lengthen a code's life. PostgreSQL gets `timestamptz`; SQLite gets text of fixed width, which sorts as time does.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Dialect, Float, Integer, String, literal, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_SQLITE_FORM = "%Y-%m-%d %H:%M:%S.%f"
MARK_WIDTH = 13


def fixed(value: int | StrEnum) -> ColumnElement[Any]:
    """Return one of our own constants as part of the SQL text: what never changes need not be sent with every call."""
    return literal_column(str(value), Integer) if isinstance(value, int) else literal_column(f"'{value}'", String)


def keyed(value: StrEnum) -> ColumnElement[str]:
    """Return one of our own constants as a parameter, for statements that look a row up by its key.

    As text it might meet the condition of a partial index. PostgreSQL 15, planning before a table has statistics, then
    reads all of that index rather than one row by its key; and keeps to it until the table is analysed.
    """
    return literal(value.value, String)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, in UTC. A datetime without a time zone is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type for a dialect."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(26))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn a moment into what the driver stores."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone does not go into the database")
        moment = value.astimezone(UTC)
        return moment.strftime(_SQLITE_FORM) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the driver gives back into a moment."""
        if value is None:
            return None
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if dialect.name == "sqlite" else value


class now_plus(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, plus some seconds (an expression, or a number that may be negative)."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: ColumnElement[Any] | int) -> None:
        super().__init__(fixed(seconds) if isinstance(seconds, int) else seconds)


class mark_plus(FunctionElement[str]):  # noqa: N801 - as above
    """The database's clock plus some seconds, as thirteen digits of milliseconds: text that sorts as time does."""

    type = String(MARK_WIDTH)
    inherit_cache = True

    def __init__(self, seconds: int) -> None:
        super().__init__(fixed(seconds))


class seconds_until(FunctionElement[float]):  # noqa: N801 - as above
    """How many seconds the database's clock has to a moment in a column; below 0 when it is past."""

    type = Float()
    inherit_cache = True

    def __init__(self, moment: ColumnElement[datetime]) -> None:
        super().__init__(moment)


def now() -> ColumnElement[datetime]:
    """Return the expression for the database's clock."""
    return now_plus(0)


def moment_of_mark(mark: str) -> datetime:
    """Return the moment that a mark of thirteen digits stands for."""
    return datetime.fromtimestamp(int(mark) / 1000, tz=UTC)


@compiles(now_plus, "postgresql")
def _now_postgresql(element: now_plus, compiler: SQLCompiler, **kw: Any) -> str:
    # clock_timestamp, not now(): a statement that waited for a row must not judge by the time it began to wait.
    seconds = compiler.process(element.clauses, **kw)
    return "clock_timestamp()" if seconds == "0" else f"(clock_timestamp() + make_interval(secs => {seconds}))"


@compiles(now_plus, "sqlite")
def _now_sqlite(element: now_plus, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds') || '000')"


@compiles(mark_plus, "postgresql")
def _mark_postgresql(element: mark_plus, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"lpad((((extract(epoch from clock_timestamp()) + {seconds}) * 1000)::bigint)::text, {MARK_WIDTH}, '0')"


@compiles(mark_plus, "sqlite")
def _mark_sqlite(element: mark_plus, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    # The epoch's Julian day is 2440587.5; %J has the fraction that %s lacks.
    return (
        f"printf('%0{MARK_WIDTH}d', CAST(round((strftime('%J','now') - 2440587.5) * 86400000.0) AS INTEGER)"
        f" + ({seconds}) * 1000)"
    )


@compiles(seconds_until, "postgresql")
def _until_postgresql(element: seconds_until, compiler: SQLCompiler, **kw: Any) -> str:
    return f"extract(epoch from {compiler.process(element.clauses, **kw)} - clock_timestamp())::float8"


@compiles(seconds_until, "sqlite")
def _until_sqlite(element: seconds_until, compiler: SQLCompiler, **kw: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **kw)}) - julianday('now')) * 86400.0)"
