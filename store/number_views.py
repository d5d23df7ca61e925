"""Numbers with their open leases, as accounts and operators look at them: one, an account's, or a pool's."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import LeaseFacts, NumberFacts, NumberState
from domain.statuses import Environment
from store.number_leases import lease_facts
from store.number_tables import CapacityBucket, NumberLease, SenderNumber
from store.numbers import number_facts
from store.tables import table_of
from store.times import fixed, now

_number, _lease, _bucket = table_of(SenderNumber), table_of(NumberLease), table_of(CapacityBucket)
_LEASE = "lease_"
_WITH_LEASE = select(_number, *(column.label(f"{_LEASE}{column.name}") for column in _lease.c)).select_from(
    _number.outerjoin(_lease, and_(_lease.c.number_id == _number.c.id, _lease.c.ended_at.is_(None)))
)
_IN_ENVIRONMENT = _number.c.environment == bindparam("of_environment")
_IS_OWN = or_(_number.c.account_id == bindparam("of_account"), _lease.c.account_id == bindparam("of_account"))
_FIND = _WITH_LEASE.where(_number.c.id == bindparam("of_number"), _IN_ENVIRONMENT)
# Those that are nobody's alone are everybody's; another account's are not there.
_SHARED = _WITH_LEASE.where(
    _IN_ENVIRONMENT,
    or_(_number.c.account_id.is_(None), _number.c.account_id == bindparam("of_account")),
    _number.c.state.not_in([fixed(NumberState.RESERVED), fixed(NumberState.RETIRED)]),
).order_by(_number.c.country, _number.c.carrier, _number.c.sender)
_OPEN = select(func.count()).where(
    _lease.c.account_id == bindparam("of_account"),
    _lease.c.environment == bindparam("of_environment"),
    _lease.c.ended_at.is_(None),
)
_RESERVED = select(func.count()).where(
    _number.c.account_id == bindparam("of_account"),
    _IN_ENVIRONMENT,
    _number.c.state == fixed(NumberState.RESERVED),
    _number.c.state_until > now(),
)
_RATES = select(_bucket.c.name, _bucket.c.part_us).where(_bucket.c.name.in_(bindparam("names", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFilters:
    """Which of an account's numbers are asked for; `before` is the last one of the page before."""

    account_id: UUID
    environment: Environment
    country: str | None = None
    state: NumberState | None = None
    before: UUID | None = None


async def find_with_lease(
    connection: AsyncConnection, number_id: UUID, *, environment: Environment
) -> tuple[NumberFacts, LeaseFacts | None] | None:
    """Return a number of an environment with its open lease, whoever's it is."""
    values = {"of_number": number_id, "of_environment": environment.value}
    row = (await connection.execute(_FIND, values)).one_or_none()
    return None if row is None else _both(row)


async def numbers_of_account(
    connection: AsyncConnection, filters: NumberFilters, *, limit: int
) -> list[tuple[NumberFacts, LeaseFacts | None]]:
    """Return the numbers that an account has reserved or leased, the newest first."""
    query = _WITH_LEASE.where(_IN_ENVIRONMENT, _IS_OWN).order_by(_number.c.id.desc()).limit(limit)
    if filters.country is not None:
        query = query.where(_number.c.country == filters.country)
    if filters.state is not None:
        query = query.where(_number.c.state == filters.state.value)
    if filters.before is not None:
        query = query.where(_number.c.id < filters.before)
    rows = await connection.execute(query, _whose(filters.account_id, filters.environment))
    return [_both(row) for row in rows]


async def numbers_in_sight(
    connection: AsyncConnection, *, account_id: UUID, environment: Environment, country: str | None = None
) -> list[tuple[NumberFacts, LeaseFacts | None]]:
    """Return the numbers of all pools, or of one, that are not another account's alone."""
    query = _SHARED if country is None else _SHARED.where(_number.c.country == country)
    return [_both(row) for row in await connection.execute(query, _whose(account_id, environment))]


async def count_open(connection: AsyncConnection, account_id: UUID, *, environment: Environment) -> tuple[int, int]:
    """Return how many numbers an account leases, and how many it has reserved."""
    values = _whose(account_id, environment)
    leased = (await connection.execute(_OPEN, values)).scalar_one()
    return int(leased), int((await connection.execute(_RESERVED, values)).scalar_one())


async def part_times(connection: AsyncConnection, names: list[str]) -> dict[str, int]:
    """Return how long a message part takes, in microseconds, by the bucket's name."""
    rows = await connection.execute(_RATES, {"names": names}) if names else ()
    return {row.name: row.part_us for row in rows}


def _whose(account_id: UUID, environment: Environment) -> dict[str, Any]:
    return {"of_account": account_id, "of_environment": environment.value}


def _both(row: Any) -> tuple[NumberFacts, LeaseFacts | None]:
    if row.lease_id is None:
        return number_facts(row), None
    return number_facts(row), lease_facts(row, prefix=_LEASE)
