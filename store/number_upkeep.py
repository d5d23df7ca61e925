"""When numbers have something to do: noted by who tends them, looked for where nobody does."""

from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import NumberFacts, NumberState
from rules.routing.lease_life import ORDERED
from store.number_tables import SenderNumber
from store.numbers import number_facts
from store.tables import table_of
from store.times import UtcDateTime, fixed, now, now_plus

_number = table_of(SenderNumber)
# Longer than a workflow needs to wake up, shorter than anybody waits for a number.
OVERDUE_AFTER_S = 30
_NOTE = (
    update(_number)
    .where(
        _number.c.id == bindparam("of_number"),
        _number.c.due_at.is_not_distinct_from(bindparam("seen", type_=UtcDateTime)),
    )
    .values(due_at=bindparam("then", type_=UtcDateTime))
)
_NOTE_SILENCE = _NOTE.values(silent_since=func.coalesce(_number.c.silent_since, now()))
_ORDERED = (
    update(_number)
    .where(_number.c.id == bindparam("of_number"), _number.c.state == fixed(NumberState.PROVISIONING))
    .values(state_reason=ORDERED, silent_since=None)
    .returning(_number)
)
_TOUCH = update(_number).where(_number.c.id == bindparam("of_number")).values(due_at=now())
_OVERDUE = select(_number).where(_number.c.due_at < now_plus(-OVERDUE_AFTER_S)).order_by(_number.c.due_at).limit(200)


async def note_due(connection: AsyncConnection, number: NumberFacts, due_at: datetime | None) -> bool:
    """Note when a number has something to do next; False, and nothing noted, when somebody changed it meanwhile."""
    values = {"of_number": number.id, "seen": number.due_at, "then": due_at}
    return bool((await connection.execute(_NOTE, values)).rowcount)


async def note_silence(connection: AsyncConnection, number: NumberFacts, due_at: datetime) -> bool:
    """Note that a number's carrier does not answer, and when it is asked again; False as above."""
    values = {"of_number": number.id, "seen": number.due_at, "then": due_at}
    return bool((await connection.execute(_NOTE_SILENCE, values)).rowcount)


async def note_ordered(connection: AsyncConnection, number: NumberFacts) -> NumberFacts | None:
    """Note that a number's carrier has taken its order; None when it is not in provisioning any more."""
    row = (await connection.execute(_ORDERED, {"of_number": number.id})).one_or_none()
    return None if row is None else number_facts(row)


async def touch_number(connection: AsyncConnection, number: NumberFacts) -> None:
    """Note that a number's lease was changed, so that it is looked at now."""
    await connection.execute(_TOUCH, {"of_number": number.id})


async def overdue_numbers(connection: AsyncConnection) -> list[NumberFacts]:
    """Return numbers that should have been tended a while ago: their workflow is gone, or was never told."""
    return [number_facts(row) for row in await connection.execute(_OVERDUE)]
