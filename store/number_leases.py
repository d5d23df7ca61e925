"""Numbers lent to an account alone: taken by one, renewed before their end, ended once, and kept as a record."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Integer, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import COUNTED, EndReason, LeaseFacts, NumberFacts, NumberState, Use
from domain.statuses import Environment
from rules.routing.number_life import HARVEST_WINDOW_DAYS
from store.number_tables import NumberLease, SenderNumber
from store.numbers import number_facts
from store.pool_service import HAS_ANOTHER, holding, in_service
from store.tables import table_of
from store.times import fixed, now, now_plus

_number = table_of(SenderNumber)
_lease = table_of(NumberLease)
_DAY_S = 86_400
_COLUMNS = tuple(column.name for column in _lease.c)
_IS_OF_TYPE = _number.c.sender_type == bindparam("of_type")
_HOLD = holding(_IS_OF_TYPE)
_AVAILABLE = (
    select(_number.c.id)
    .where(
        *in_service(),
        _IS_OF_TYPE,
        # The last one stays: everybody else sends with it.
        HAS_ANOTHER,
        _number.c.monthly_micros <= func.coalesce(bindparam("most_micros", type_=BigInteger), _number.c.monthly_micros),
        # One that an account leases for its pool stays there.
        ~select(_lease.c.id).where(_lease.c.number_id == _number.c.id, _lease.c.ended_at.is_(None)).exists(),
    )
    .order_by(_number.c.relapses, _number.c.id)
    .limit(1)
    # SQLite has one writer at a time and leaves this out.
    .with_for_update(key_share=True, skip_locked=True)
    .scalar_subquery()
)
_TAKE = (
    update(_number)
    .where(_number.c.id == _AVAILABLE)
    .values(
        state=fixed(NumberState.LEASED),
        state_reason=None,
        state_until=None,
        account_id=bindparam("for_account"),
        changed_at=now(),
        due_at=now(),
    )
    .returning(_number)
)
_WRITE = (
    insert(_lease).values(started_at=now(), expires_at=now_plus(bindparam("lasts_s", type_=Integer))).returning(_lease)
)
_AS_SEEN = (
    _lease.c.id == bindparam("of_lease"),
    _lease.c.expires_at == bindparam("seen"),
    _lease.c.ended_at.is_(None),
)
_RENEW_LATE = update(_lease).where(*_AS_SEEN).values(expires_at=bindparam("until"), warned_days=None).returning(_lease)
_RENEW = _RENEW_LATE.where(_lease.c.expires_at > now())
_lasts = now_plus(bindparam("lasts_s", type_=Integer))
_RESTART = update(_lease).where(*_AS_SEEN).values(started_at=now(), expires_at=_lasts).returning(_lease)
_WARN = (
    update(_lease)
    .where(*_AS_SEEN, func.coalesce(_lease.c.warned_days, bindparam("days") + 1) > bindparam("days"))
    .values(warned_days=bindparam("days"))
    .returning(_lease)
)
_END = (
    update(_lease)
    .where(_lease.c.id == bindparam("of_lease"), _lease.c.ended_at.is_(None))
    .values(ended_at=now(), end_reason=bindparam("why"))
    .returning(_lease)
)
_IS_OPEN = (
    _lease.c.id == bindparam("of_lease"),
    _lease.c.account_id == bindparam("of_account"),
    _lease.c.environment == bindparam("of_environment"),
    _lease.c.ended_at.is_(None),
    _lease.c.expires_at > now(),
)
# An account that is told of no end was warned of one that is gone.
_CHANGE = (
    update(_lease)
    .where(*_IS_OPEN)
    .values(
        period_days=func.coalesce(bindparam("days", type_=Integer), _lease.c.period_days),
        is_renewed=func.coalesce(bindparam("renews", type_=Boolean), _lease.c.is_renewed),
        warned_days=None,
    )
    .returning(_lease)
)
_LOOK_AGAIN = (
    update(_number)
    .where(
        _number.c.id == bindparam("of_number"),
        _number.c.environment == bindparam("of_environment"),
        select(_lease.c.id)
        .where(_lease.c.number_id == _number.c.id, _lease.c.account_id == bindparam("of_account"))
        .exists(),
    )
    .values(due_at=now())
)
_EXPIRE = (
    update(_lease)
    .where(_lease.c.id == bindparam("of_lease"), _lease.c.ended_at.is_(None), _lease.c.expires_at <= now())
    .values(ended_at=now(), end_reason=EndReason.EXPIRED.value)
    .returning(_lease)
)
_TAKE_RESERVED = (
    update(_number)
    .where(
        _number.c.id == bindparam("of_number"),
        _number.c.environment == bindparam("of_environment"),
        _number.c.account_id == bindparam("for_account"),
        _number.c.state == fixed(NumberState.RESERVED),
        _number.c.state_until > now(),
    )
    .values(state=fixed(NumberState.PROVISIONING), state_reason=None, state_until=None, changed_at=now(), due_at=now())
    .returning(_number)
)
_FIND = select(_lease).where(_lease.c.number_id == bindparam("of_number"), _lease.c.ended_at.is_(None))
_DUE = (
    select(_lease)
    .where(_lease.c.ended_at.is_(None), _lease.c.expires_at <= now_plus(bindparam("within_s", type_=Integer)))
    .order_by(_lease.c.expires_at, _lease.c.id)
    .limit(bindparam("most"))
)
_RELEASED = select(func.count()).where(
    _lease.c.account_id == bindparam("of_account"),
    _lease.c.environment == bindparam("of_environment"),
    _lease.c.ended_at > now_plus(-HARVEST_WINDOW_DAYS * 86_400),
    # What a carrier did not give was not collected.
    _lease.c.end_reason.not_in([fixed(reason) for reason in EndReason if reason not in COUNTED]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLease:
    """What an account asks for: a number of a country and type, for so many days, renewed or not.

    `lasts_s` is how long the first period lasts, where that is not a whole one; `most_micros` what a month may cost.
    """

    id: UUID
    account_id: UUID
    environment: Environment
    country: str
    sender_type: str
    period_days: int
    is_renewed: bool
    use: Use = Use.DEDICATED
    lasts_s: int | None = None
    most_micros: int | None = None


async def take_number(connection: AsyncConnection, new: NewLease) -> tuple[NumberFacts, LeaseFacts] | None:
    """Lend a number of a pool to an account alone; None, and nothing changed, when the pool can spare none.

    It never spares the last one of its kind in service, however many ask at once.
    """
    kind = {"of_environment": new.environment.value, "of_country": new.country, "of_type": new.sender_type}
    await connection.execute(_HOLD, kind)
    values = {**kind, "for_account": new.account_id, "most_micros": new.most_micros}
    row = (await connection.execute(_TAKE, values)).one_or_none()
    if row is None:
        return None
    number = number_facts(row)
    return number, await write_lease(connection, new, number)


async def take_reserved(
    connection: AsyncConnection, number_id: UUID, *, account_id: UUID, environment: Environment
) -> NumberFacts | None:
    """Begin to provision a number that an account has reserved; None when it has not, or no longer."""
    values = {"of_number": number_id, "for_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(_TAKE_RESERVED, values)).one_or_none()
    return None if row is None else number_facts(row)


async def write_lease(connection: AsyncConnection, new: NewLease, number: NumberFacts) -> LeaseFacts:
    """Write the lease of a number that was just taken for an account, at the number's price."""
    terms = {
        "id": new.id,
        "number_id": number.id,
        "account_id": new.account_id,
        "environment": new.environment.value,
        "period_days": new.period_days,
        "price_micros": number.monthly_micros,
        "currency": number.currency,
        "is_renewed": new.is_renewed,
        "use": new.use.value,
        "lasts_s": new.period_days * _DAY_S if new.lasts_s is None else new.lasts_s,
    }
    return lease_facts((await connection.execute(_WRITE, terms)).one())


async def renew_lease(
    connection: AsyncConnection, lease: LeaseFacts, *, may_be_late: bool = False
) -> LeaseFacts | None:
    """Let a lease last one period more; None when it has ended, or somebody renewed it since it was read.

    `may_be_late`: also when its time is over and nobody has ended it, because whoever should have renewed it was away.
    """
    until = lease.expires_at + timedelta(days=lease.period_days)
    values = {"of_lease": lease.id, "seen": lease.expires_at, "until": until}
    row = (await connection.execute(_RENEW_LATE if may_be_late else _RENEW, values)).one_or_none()
    return None if row is None else lease_facts(row)


async def restart_lease(connection: AsyncConnection, lease: LeaseFacts) -> LeaseFacts | None:
    """Let a lease's first period begin now, when its number is ready; None when it was changed since it was read."""
    values = {"of_lease": lease.id, "seen": lease.expires_at, "lasts_s": lease.period_days * _DAY_S}
    row = (await connection.execute(_RESTART, values)).one_or_none()
    return None if row is None else lease_facts(row)


async def note_warning(connection: AsyncConnection, lease: LeaseFacts, *, days: int) -> LeaseFacts | None:
    """Note that an account is told of an end so many days away; None when it was, or the end is another now."""
    values = {"of_lease": lease.id, "seen": lease.expires_at, "days": days}
    row = (await connection.execute(_WARN, values)).one_or_none()
    return None if row is None else lease_facts(row)


async def expire_lease(connection: AsyncConnection, lease_id: UUID) -> LeaseFacts | None:
    """End a lease whose time is over; None when it is not, or somebody has ended it."""
    row = (await connection.execute(_EXPIRE, {"of_lease": lease_id})).one_or_none()
    return None if row is None else lease_facts(row)


async def change_terms(
    connection: AsyncConnection, lease: LeaseFacts, *, period_days: int | None, is_renewed: bool | None
) -> LeaseFacts | None:
    """Change a lease's terms from its next period on, None leaving them; None when it is over."""
    whose = {"of_account": lease.account_id, "of_environment": lease.environment.value}
    values = {"of_lease": lease.id, "days": period_days, "renews": is_renewed, **whose}
    row = (await connection.execute(_CHANGE, values)).one_or_none()
    if row is None:
        return None
    await connection.execute(_LOOK_AGAIN, {"of_number": lease.number_id, **whose})
    return lease_facts(row)


async def end_lease(connection: AsyncConnection, lease_id: UUID, *, reason: EndReason) -> LeaseFacts | None:
    """End a lease, for this reason; None when it had ended before."""
    row = (await connection.execute(_END, {"of_lease": lease_id, "why": reason.value})).one_or_none()
    return None if row is None else lease_facts(row)


async def lease_of_number(connection: AsyncConnection, number_id: UUID) -> LeaseFacts | None:
    """Return a number's lease that has not ended."""
    row = (await connection.execute(_FIND, {"of_number": number_id})).one_or_none()
    return None if row is None else lease_facts(row)


async def leases_due(connection: AsyncConnection, *, within_s: int, most: int = 100) -> list[LeaseFacts]:
    """Return leases that end within a time, the first to end first."""
    rows = await connection.execute(_DUE, {"within_s": within_s, "most": most})
    return [lease_facts(row) for row in rows]


async def count_released(connection: AsyncConnection, account_id: UUID, *, environment: Environment) -> int:
    """Return how many leases of an account ended inside the window in which harvesting is looked for."""
    values = {"of_account": account_id, "of_environment": environment.value}
    return int((await connection.execute(_RELEASED, values)).scalar_one())


def lease_facts(row: Any, *, prefix: str = "") -> LeaseFacts:
    """Return the facts of a row that has the lease's columns, under names with a prefix."""
    values = {name: getattr(row, f"{prefix}{name}") for name in _COLUMNS}
    return LeaseFacts(**{**values, "environment": Environment(values["environment"]), "use": Use(values["use"])})
