"""Trials of numbers: in service after a quarantine for their health, with few messages, until they prove themselves."""

from sqlalchemy import bindparam, case, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import NumberFacts, NumberState
from store.number_tables import SenderNumber
from store.numbers import number_facts
from store.tables import table_of
from store.times import UtcDateTime, fixed, now

_number = table_of(SenderNumber)
# What it was set aside for is kept, so that who may not get rid of it for that may not get rid of it now.
_BEGIN = (
    update(_number)
    .where(_number.c.id == bindparam("of_number"), _number.c.state == fixed(NumberState.QUARANTINED))
    .values(
        state=case((_number.c.account_id.is_(None), fixed(NumberState.AVAILABLE)), else_=fixed(NumberState.LEASED)),
        state_until=None,
        probing_since=now(),
        changed_at=now(),
        due_at=now(),
    )
    .returning(_number)
)
_END = (
    update(_number)
    .where(
        _number.c.id == bindparam("of_number"),
        _number.c.state == bindparam("seen"),
        _number.c.probing_since == bindparam("as_of", type_=UtcDateTime),
    )
    .values(state_reason=None, probing_since=None, changed_at=now(), due_at=now())
    .returning(_number)
)


async def begin_trial(connection: AsyncConnection, number: NumberFacts) -> NumberFacts | None:
    """Put a number that was set aside into service on trial; None when it is set aside no longer."""
    row = (await connection.execute(_BEGIN, {"of_number": number.id})).one_or_none()
    return None if row is None else number_facts(row)


async def end_trial(connection: AsyncConnection, number: NumberFacts) -> NumberFacts | None:
    """Let a number be in service as any other; None when it was moved, or its trial ended, since it was read."""
    values = {"of_number": number.id, "seen": number.state.value, "as_of": number.probing_since}
    row = (await connection.execute(_END, values)).one_or_none()
    return None if row is None else number_facts(row)
