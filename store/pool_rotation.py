"""Setting a pool's number aside so that others carry on: never the last one of its kind, however many ask at once."""

from sqlalchemy import Integer, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.catalog import SenderType
from store.number_tables import SenderNumber
from store.numbers import number_facts
from store.pool_service import HAS_ANOTHER, holding, in_service
from store.tables import table_of
from store.times import fixed, now, now_plus

_number = table_of(SenderNumber)
# A name is the same for all who send with it, and is not worn out by that.
_IS_WORN = _number.c.sender_type != fixed(SenderType.ALPHANUMERIC)
_HOLD = holding(_IS_WORN)
_LONGEST = (
    select(_number.c.id)
    .where(*in_service(), _IS_WORN, HAS_ANOTHER)
    .order_by(_number.c.changed_at, _number.c.id)
    .limit(1)
    .scalar_subquery()
)
_ASIDE = (
    update(_number)
    .where(_number.c.id == _LONGEST)
    .values(
        state=fixed(NumberState.QUARANTINED),
        state_reason=bindparam("why"),
        state_until=now_plus(bindparam("lasts_s", type_=Integer)),
        changed_at=now(),
        due_at=now(),
    )
    .returning(_number)
)


async def set_longest_aside(
    connection: AsyncConnection, country: str, *, environment: Environment, reason: str, lasts_s: int
) -> NumberFacts | None:
    """Set the number aside that has been in service longest; None where none has another one of its kind beside it."""
    pool = {"of_country": country, "of_environment": environment.value}
    await connection.execute(_HOLD, pool)
    row = (await connection.execute(_ASIDE, {**pool, "why": reason, "lasts_s": lasts_s})).one_or_none()
    return None if row is None else number_facts(row)
