"""Numbers: kept once, reserved by one, and moved from state to state by whoever saw the last one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment, VerificationStatus
from rules.routing.number_life import RESERVATION_MIN, may_become
from store.number_tables import RoutingLease, SenderNumber
from store.tables import Attempt, Verification, table_of
from store.times import UtcDateTime, fixed, now, now_plus

_number = table_of(SenderNumber)
_lease = table_of(RoutingLease)
_attempt, _verification = table_of(Attempt), table_of(Verification)
# A short code or a name may be a sender in several countries.
_ONCE = ("environment", "country", "carrier", "sender")
_KEEP = {
    "sqlite": sqlite.insert(_number).on_conflict_do_nothing(index_elements=_ONCE).returning(_number.c.id),
    "postgresql": postgresql.insert(_number).on_conflict_do_nothing(index_elements=_ONCE).returning(_number.c.id),
}
# What a carrier may offer otherwise the next time.
_TERMS = ("sender_type", "region", "capabilities", "price_micros", "monthly_micros", "currency", "relapses")
_LEND = insert(_lease).values(number_id=bindparam("of_number"), fence=0, expires_at=now())


def _reserve(insert_: Any) -> Any:
    """Build the statement that keeps a reserved number, or takes over one whose reservation, or whose life, is over."""
    statement = insert_(_number)
    again = {name: statement.excluded[name] for name in _TERMS}
    is_over = and_(_number.c.state == fixed(NumberState.RESERVED), _number.c.state_until <= now())
    return statement.on_conflict_do_update(
        index_elements=_ONCE,
        set_={
            **again,
            "state": fixed(NumberState.RESERVED),
            "state_reason": None,
            "state_until": _RESERVED_UNTIL,
            "account_id": bindparam("by_account"),
            "changed_at": now(),
            "due_at": _RESERVED_UNTIL,
            "silent_since": None,
        },
        where=or_(is_over, _number.c.state == fixed(NumberState.RETIRED)),
    ).returning(_number)


_RESERVED_UNTIL = now_plus(RESERVATION_MIN * 60)
_RESERVE = {"sqlite": _reserve(sqlite.insert), "postgresql": _reserve(postgresql.insert)}
_FIND = select(_number).where(
    _number.c.id == bindparam("of_number"), _number.c.environment == bindparam("of_environment")
)
_POOL = (
    select(_number)
    .where(_number.c.environment == bindparam("of_environment"), _number.c.country == bindparam("of_country"))
    .order_by(_number.c.carrier, _number.c.sender)
)
_lasts_s = bindparam("lasts_s", type_=Integer)
_MOVE = (
    update(_number)
    .where(
        _number.c.id == bindparam("of_number"),
        _number.c.state == bindparam("seen"),
        _number.c.changed_at == func.coalesce(bindparam("as_of", type_=UtcDateTime), _number.c.changed_at),
    )
    .values(
        state=bindparam("then"),
        state_reason=bindparam("why"),
        state_until=case((_lasts_s.is_not(None), now_plus(_lasts_s)), else_=None),
        # A reservation's and a lease's holder goes with the state that keeps the number from others.
        account_id=case((bindparam("is_freed"), None), else_=_number.c.account_id),
        relapses=func.coalesce(bindparam("in_a_row", type_=Integer), _number.c.relapses),
        probing_since=None,
        changed_at=now(),
        due_at=now(),
        silent_since=None,
    )
    .returning(_number)
)
# Verifications are under way whose messages came from the number, for whoever it is lent to.
_UNDER_WAY = (
    select(_attempt.c.id)
    .join(_verification, _verification.c.id == _attempt.c.verification_id)
    .where(
        _verification.c.environment == _number.c.environment,
        _verification.c.status == fixed(VerificationStatus.PENDING),
        _verification.c.expires_at > now(),
        _attempt.c.sender == _number.c.sender,
        _attempt.c.carrier == _number.c.carrier,
        _attempt.c.pool_country == _number.c.country,
    )
    .correlate(_number)
    .exists()
)
_MOVE_UNUSED = _MOVE.where(~_UNDER_WAY)
_FREES = frozenset({NumberState.AVAILABLE, NumberState.AGING, NumberState.RETIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumber:
    """A number that is not ours yet. `capabilities` are words of the carrier's inventory: `sms`, `voice`."""

    id: UUID
    environment: Environment
    country: str
    sender: str
    sender_type: str
    carrier: str
    region: str
    capabilities: frozenset[str]
    price_micros: int
    monthly_micros: int
    currency: str = "EUR"


async def keep_number(connection: AsyncConnection, new: NewNumber, *, state: NumberState) -> bool:
    """Keep a number in a state that needs neither a holder nor an end; False when it is there already."""
    values = {**_values(new), "state": state.value, "created_at": now(), "changed_at": now()}
    statement = _KEEP[connection.dialect.name].values(**values)
    return await _with_lease(connection, (await connection.execute(statement)).scalar_one_or_none())


async def reserve_number(connection: AsyncConnection, new: NewNumber, *, account_id: UUID) -> NumberFacts | None:
    """Reserve a number for half an hour; None while it is another's, or this account's, reservation or number."""
    values = {
        **_values(new),
        "account_id": account_id,
        "state": NumberState.RESERVED.value,
        "state_until": _RESERVED_UNTIL,
        "created_at": now(),
        "changed_at": now(),
        "due_at": _RESERVED_UNTIL,
    }
    statement = _RESERVE[connection.dialect.name].values(**values)
    row = (await connection.execute(statement, {"by_account": account_id})).one_or_none()
    if row is None:
        return None
    if row.id == new.id:
        await _with_lease(connection, row.id)
    return number_facts(row)


async def find_number(connection: AsyncConnection, number_id: UUID, *, environment: Environment) -> NumberFacts | None:
    """Return a number, or None where the environment has none with this id."""
    values = {"of_number": number_id, "of_environment": environment.value}
    row = (await connection.execute(_FIND, values)).one_or_none()
    return None if row is None else number_facts(row)


async def numbers_of_pool(connection: AsyncConnection, country: str, *, environment: Environment) -> list[NumberFacts]:
    """Return a country's numbers in every state, in one order."""
    rows = await connection.execute(_POOL, {"of_country": country, "of_environment": environment.value})
    return [number_facts(row) for row in rows]


async def move_number(
    connection: AsyncConnection,
    number_id: UUID,
    *,
    seen: NumberState,
    then: NumberState,
    reason: str | None = None,
    lasts_s: int | None = None,
    relapses: int | None = None,
) -> NumberFacts | None:
    """Move a number from the state that was seen to another; None when it was moved by someone else since.

    `relapses` is how many quarantines in a row it has had from now on, None: as many as before.

    Raises:
        ValueError: no number may go from one of these states to the other.

    """
    values = _moving(number_id, seen=seen, then=then, reason=reason, lasts_s=lasts_s)
    row = (await connection.execute(_MOVE, {**values, "in_a_row": relapses})).one_or_none()
    return None if row is None else number_facts(row)


async def move_seen(
    connection: AsyncConnection,
    number: NumberFacts,
    then: NumberState,
    *,
    reason: str | None = None,
    lasts_s: int | None = None,
    only_unused: bool = False,
) -> NumberFacts | None:
    """Move a number that nothing has happened to since it was read; None when something has.

    With `only_unused` it stays where it is while verifications are under way whose messages came from it.

    Raises:
        ValueError: as above.

    """
    values = _moving(number.id, seen=number.state, then=then, reason=reason, lasts_s=lasts_s)
    statement = _MOVE_UNUSED if only_unused else _MOVE
    row = (await connection.execute(statement, {**values, "as_of": number.changed_at})).one_or_none()
    return None if row is None else number_facts(row)


def _moving(
    number_id: UUID, *, seen: NumberState, then: NumberState, reason: str | None, lasts_s: int | None
) -> dict[str, Any]:
    if not may_become(seen, then):
        raise ValueError(f"a number that is {seen} does not become {then}")
    return {
        "of_number": number_id,
        "seen": seen.value,
        "then": then.value,
        "why": reason,
        "lasts_s": lasts_s,
        "is_freed": then in _FREES,
        "in_a_row": None,
        "as_of": None,
    }


def number_facts(row: Any) -> NumberFacts:
    """Return the facts of a row that has the number's columns."""
    return NumberFacts(
        id=row.id,
        environment=Environment(row.environment),
        country=row.country,
        sender=row.sender,
        sender_type=row.sender_type,
        carrier=row.carrier,
        region=row.region,
        capabilities=frozenset(row.capabilities.split()),
        price_micros=row.price_micros,
        monthly_micros=row.monthly_micros,
        currency=row.currency,
        state=NumberState(row.state),
        state_reason=row.state_reason,
        state_until=row.state_until,
        account_id=row.account_id,
        relapses=row.relapses,
        changed_at=row.changed_at,
        due_at=row.due_at,
        silent_since=row.silent_since,
        probing_since=row.probing_since,
    )


async def _with_lease(connection: AsyncConnection, number_id: UUID | None) -> bool:
    """Give a number that was just kept its routing lease, free; say whether there was one."""
    if number_id is None:
        return False
    await connection.execute(_LEND, {"of_number": number_id})
    return True


def _values(new: NewNumber) -> dict[str, Any]:
    return {
        "id": new.id,
        "environment": new.environment.value,
        "country": new.country,
        "sender": new.sender,
        "sender_type": new.sender_type,
        "carrier": new.carrier,
        "region": new.region,
        "capabilities": f" {' '.join(sorted(new.capabilities))} ",
        "price_micros": new.price_micros,
        "monthly_micros": new.monthly_micros,
        "currency": new.currency,
        "relapses": 0,
    }
