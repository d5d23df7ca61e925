"""Blocks begin and end once, in the transaction of what blocks or lifts, and the account is told with it.

Each has a row, so that of two transactions that lift one, one tells. It is locked after what it is about: the number's
guard, or the account.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import String, and_, bindparam, delete, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.blocks import Block, created, lifted
from domain.facts import VerificationFacts
from domain.ids import new_id
from domain.statuses import BlockRule, Environment, LiftedBy
from store.block_tables import BlockRow
from store.events import emit
from store.guards import Lock, NumberKey
from store.tables import table_of
from store.times import now, now_plus

_block = table_of(BlockRow)
# Of the account itself.
_NOBODY_S = ""
_KEPT_S = 30 * 86_400
LIFTED_AT_ONCE = 200
_TOO_MANY_WRONG_CODES = "too_many_wrong_codes"
# As text, because SQLAlchemy leaves table names out of what SQLite returns, in subqueries too, where they decide.
_TO = literal_column(
    "(SELECT event.to_masked FROM event WHERE event.verification_id = block.verification_id AND event.sequence = 1)",
    String,
).label("to_masked")
_FACTS = (*_block.c, _TO)
_IS_OPEN = _block.c.lifted_at.is_(None)
_OF_SUBJECT = and_(
    _block.c.account_id == bindparam("of_account"),
    _block.c.environment == bindparam("of_environment"),
    _block.c.rule == bindparam("of_rule"),
    _block.c.subject == bindparam("of_number"),
)
_FIND = select(*_FACTS).where(_OF_SUBJECT, _IS_OPEN)
_BEGIN = insert(_block).values(created_at=now()).returning(*_FACTS)
_LIFT = update(_block).where(_OF_SUBJECT, _IS_OPEN).values(lifted_at=now()).returning(*_FACTS, now().label("read_at"))
_OVER = select(_block.c.id).where(_IS_OPEN, _block.c.until <= now()).order_by(_block.c.until).limit(LIFTED_AT_ONCE)
_LIFT_OVER = update(_block).where(_block.c.id.in_(_OVER), _IS_OPEN).values(lifted_at=now()).returning(*_FACTS)
_FORGET = delete(_block).where(_block.c.lifted_at < now_plus(-_KEPT_S))


async def block_number(connection: AsyncConnection, facts: VerificationFacts, number: NumberKey, lock: Lock) -> None:
    """Begin the block of a number that a verification's wrong codes have locked; the guard's row is held."""
    # One whose time is over may not have been looked at yet.
    await _lift(connection, number, BlockRule.FAILURES_IN_A_ROW, by=LiftedBy.TIME)
    values = {
        "rule": BlockRule.FAILURES_IN_A_ROW.value,
        "subject": number["of_number"],
        "reason": _TOO_MANY_WRONG_CODES,
        "country": facts.country,
        "verification_id": facts.id,
        "until": lock.until,
    }
    await _begin(connection, facts.account_id, facts.environment, values)


async def unblock_number(connection: AsyncConnection, number: NumberKey) -> None:
    """End the block of a number that its account has unlocked, if there is one; the guard's row is held."""
    await _lift(connection, number, BlockRule.FAILURES_IN_A_ROW, by=LiftedBy.ACCOUNT)


async def block_account(connection: AsyncConnection, account_id: UUID, *, reason: str) -> None:
    """Begin the block of an account, in all its environments, unless it is blocked; the account's row is held."""
    for environment in Environment:
        whose = _of_account(account_id, environment)
        if (await connection.execute(_FIND, {**whose, "of_rule": BlockRule.ACCOUNT_STATUS.value})).first() is None:
            values = {
                "rule": BlockRule.ACCOUNT_STATUS.value,
                "subject": _NOBODY_S,
                "reason": reason,
                "country": None,
                "verification_id": None,
                "until": None,
            }
            await _begin(connection, account_id, environment, values)


async def unblock_account(connection: AsyncConnection, account_id: UUID) -> None:
    """End the block of an account that may send again, if there is one; the account's row is held."""
    for environment in Environment:
        whose = _of_account(account_id, environment)
        await _lift(connection, whose, BlockRule.ACCOUNT_STATUS, by=LiftedBy.OPERATOR)


async def lift_what_is_over(connection: AsyncConnection) -> int:
    """End blocks whose time is over, the oldest first; return how many: there may be more when it was a full batch."""
    over = [_block_of(row) for row in await connection.execute(_LIFT_OVER)]
    await emit(connection, *(lifted(each, by=LiftedBy.TIME) for each in over))
    return len(over)


async def forget_old_blocks(connection: AsyncConnection) -> int:
    """Remove blocks that were lifted so long ago that their events are gone too; return how many."""
    return int((await connection.execute(_FORGET)).rowcount)


async def _begin(
    connection: AsyncConnection, account_id: UUID, environment: Environment, values: dict[str, Any]
) -> None:
    whose = {"id": new_id(), "account_id": account_id, "environment": environment.value}
    row = (await connection.execute(_BEGIN, {**whose, **values})).one()
    await emit(connection, created(_block_of(row)))


async def _lift(connection: AsyncConnection, whose: dict[str, Any], rule: BlockRule, *, by: LiftedBy) -> None:
    row = (await connection.execute(_LIFT, {**whose, "of_rule": rule.value})).one_or_none()
    if row is not None:
        is_over = row.until is not None and row.until <= row.read_at
        await emit(connection, lifted(_block_of(row), by=LiftedBy.TIME if is_over else by))


def _of_account(account_id: UUID, environment: Environment) -> dict[str, Any]:
    return NumberKey(account_id=account_id, environment=environment, number_hash=_NOBODY_S)


def _block_of(row: Any) -> Block:
    return Block(
        id=row.id,
        account_id=row.account_id,
        environment=Environment(row.environment),
        rule=BlockRule(row.rule),
        reason=row.reason,
        country=row.country,
        to=row.to_masked,
        until=row.until,
    )
