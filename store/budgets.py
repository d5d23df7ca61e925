"""Budgets by the hour: a limit of N lets N through, on any number of processes, and never N + 1."""

from typing import Any

from sqlalchemy import Integer, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import Budget, table_of

_budget = table_of(Budget)


def _take(insert: Any) -> Any:
    return (
        insert(_budget)
        .values(scope=bindparam("of_scope"), hour=bindparam("of_hour"), used=bindparam("amount"))
        .on_conflict_do_update(
            index_elements=["scope", "hour"],
            set_={"used": _budget.c.used + bindparam("amount", type_=Integer)},
            where=_budget.c.used + bindparam("amount", type_=Integer) <= bindparam("most", type_=Integer),
        )
        .returning(_budget.c.used)
    )


_TAKE = {"sqlite": _take(sqlite.insert), "postgresql": _take(postgresql.insert)}
_GIVE_BACK = (
    update(_budget)
    .where(
        _budget.c.scope == bindparam("of_scope"),
        _budget.c.hour == bindparam("of_hour"),
        _budget.c.used >= bindparam("amount", type_=Integer),
    )
    .values(used=_budget.c.used - bindparam("amount", type_=Integer))
)
_FORGET = delete(_budget).where(_budget.c.hour < bindparam("before_hour"))


async def take(connection: AsyncConnection, *, scope: str, hour: int, amount: int, limit: int) -> bool:
    """Use up an amount of a scope's budget of one hour; False, and nothing used, when it would go over the limit."""
    if amount > limit:
        return False
    values = {"of_scope": scope, "of_hour": hour, "amount": amount, "most": limit}
    return (await connection.execute(_TAKE[connection.dialect.name], values)).one_or_none() is not None


async def give_back(connection: AsyncConnection, *, scope: str, hour: int, amount: int) -> None:
    """Return an amount that was taken for what then did not happen."""
    await connection.execute(_GIVE_BACK, {"of_scope": scope, "of_hour": hour, "amount": amount})


async def forget_before(connection: AsyncConnection, hour: int) -> int:
    """Forget budgets of hours before this one; return how many."""
    return int((await connection.execute(_FORGET, {"before_hour": hour})).rowcount)
