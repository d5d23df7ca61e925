"""Every sealed column of the database, so that a rotation finds all that the keys before have sealed.

A table of a new one needs an `id` and is listed here; a test holds the list against the columns called `…_sealed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import Environment
from store.guards import NumberKey, new_person_salt, of_guard
from store.key_tables import WrappedKey
from store.operator_tables import Approval, Operator
from store.tables import NumberGuard, Verification, table_of
from store.webhook_tables import Webhook

_key, _guard = table_of(WrappedKey), table_of(NumberGuard)
_FILL_SALT = (
    update(_guard)
    .where(
        _guard.c.account_id == bindparam("of_account"),
        _guard.c.environment == bindparam("of_environment"),
        _guard.c.number_hash == bindparam("of_number"),
        _guard.c.person_salt.is_(None),
    )
    .values(person_salt=bindparam("fresh_salt"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """Where sealed values stand, and under which name they are bound to it.

    `is_personal`: each is about the person whose number the row's guard names. `has_account`: the rows are accounts'.
    """

    table: Table
    column: str
    name: str
    is_personal: bool = False
    has_account: bool = True


SEALED_COLUMNS = (
    SealedColumn(table=table_of(Verification), column="number_sealed", name="number", is_personal=True),
    # All three are sealed as the endpoint's secret.
    SealedColumn(table=table_of(Webhook), column="secret_sealed", name="secret"),
    SealedColumn(table=table_of(Webhook), column="previous_sealed", name="secret"),
    SealedColumn(table=table_of(Webhook), column="ed25519_sealed", name="secret"),
    SealedColumn(table=table_of(Operator), column="email_sealed", name="email", has_account=False),
    SealedColumn(table=table_of(Operator), column="totp_sealed", name="totp", has_account=False),
    SealedColumn(table=table_of(Approval), column="body_sealed", name="body"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedValue:
    """One sealed value; `number` names its person's guard row."""

    id: UUID
    account_id: UUID | None
    sealed: str = field(repr=False)
    person: str | None = field(repr=False)
    number: NumberKey | None


async def last_row(connection: AsyncConnection, column: SealedColumn) -> UUID | None:
    """Return the id of the newest row of a sealed column: ids are ordered by time."""
    query = select(column.table.c.id).order_by(column.table.c.id.desc()).limit(1)
    last: UUID | None = (await connection.execute(query)).scalar()
    return last


async def count_rows(connection: AsyncConnection, column: SealedColumn, *, until: UUID) -> int:
    """Return how many rows there are up to an id."""
    query = select(func.count(literal(1))).select_from(column.table).where(column.table.c.id <= until)
    return int((await connection.execute(query)).scalar_one())


async def page_of(
    connection: AsyncConnection, column: SealedColumn, *, after: UUID, until: UUID, at_most: int
) -> Sequence[SealedValue]:
    """Return some rows of a sealed column, by id."""
    table = column.table
    whose: list[ColumnElement[Any]] = [table.c.account_id if column.has_account else null().label("account_id")]
    if column.is_personal:
        whose += [of_guard("person_salt"), table.c.environment, table.c.number_hash]
    query = (
        select(table.c.id, table.c[column.column].label("sealed"), *whose)
        .where(table.c.id > after, table.c.id <= until, table.c[column.column].is_not(None))
        .order_by(table.c.id)
        .limit(at_most)
    )
    return [_value(row, column) for row in await connection.execute(query)]


async def replace_values(
    connection: AsyncConnection, column: SealedColumn, values: Sequence[tuple[SealedValue, str]]
) -> None:
    """Put values sealed anew in the place of those they were made of; one that changed meanwhile stays."""
    sealed = column.table.c[column.column]
    statement = (
        update(column.table)
        .where(column.table.c.id == bindparam("of_id"), sealed == bindparam("was"))
        .values({column.column: bindparam("becomes")})
    )
    rows = [{"of_id": value.id, "was": value.sealed, "becomes": becomes} for value, becomes in values]
    await connection.execute(statement, rows)


async def give_salts(connection: AsyncConnection, numbers: Sequence[NumberKey]) -> None:
    """Give a salt to each person who has none, their numbers being from before there were any."""
    await connection.execute(_FILL_SALT, [{**number, "fresh_salt": new_person_salt()} for number in numbers])


async def count_sealed_before(connection: AsyncConnection, column: SealedColumn) -> int:
    """Return how many values are sealed with another key than the newest one of their account."""
    newest = select(_key.c.account_id, func.max(_key.c.version).label("version")).group_by(_key.c.account_id).subquery()
    table, value = column.table, column.table.c[column.column]
    if column.has_account:
        joined = table.outerjoin(newest, newest.c.account_id == table.c.account_id).outerjoin(
            _key, and_(_key.c.account_id == newest.c.account_id, _key.c.version == newest.c.version)
        )
    else:
        of_instance = select(func.max(_key.c.version)).where(_key.c.use == "columns").scalar_subquery()
        joined = table.outerjoin(_key, and_(_key.c.use == "columns", _key.c.version == of_instance))
    named = literal("v1.").concat(_key.c.kid).concat(".%")
    query = (
        select(func.count(literal(1)))
        .select_from(joined)
        .where(value.is_not(None), or_(_key.c.kid.is_(None), ~value.like(named)))
    )
    return int((await connection.execute(query)).scalar_one())


def _value(row: Any, column: SealedColumn) -> SealedValue:
    person = number = None
    if column.is_personal:
        person = row.person_salt
        number = NumberKey(
            account_id=row.account_id, environment=Environment(row.environment), number_hash=row.number_hash
        )
    return SealedValue(id=row.id, account_id=row.account_id, sealed=row.sealed, person=person, number=number)
