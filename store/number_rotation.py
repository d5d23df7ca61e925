"""Numbers whose account has them replaced by themselves when they are set aside, and that are set aside."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import LeaseFacts, NumberFacts, NumberState, Use
from rules.routing.catalog import SenderType
from store.number_leases import lease_facts
from store.number_tables import NumberLease, SenderNumber
from store.numbers import number_facts
from store.route_tables import RoutePolicy
from store.tables import table_of
from store.times import fixed, now

_number, _lease, _policy = table_of(SenderNumber), table_of(NumberLease), table_of(RoutePolicy)
_AT_ONCE = 50
# A policy is concerned with a number of any pool that it sends from.
_SENDS_FROM = (_policy.c.primary_pool == _number.c.country) | (
    (" " + _policy.c.backups + " ").contains(" " + _number.c.country + " ")
)
_WANTED = (
    select(_policy.c.account_id)
    .where(
        _policy.c.account_id == _lease.c.account_id,
        _policy.c.environment == _lease.c.environment,
        _policy.c.is_rotated,
        _policy.c.is_allowed,
        _SENDS_FROM,
    )
    .correlate(_number, _lease)
    .exists()
)
_FIND = (
    select(_number, *(column.label(f"lease_{column.name}") for column in _lease.c))
    .join(_lease, _lease.c.number_id == _number.c.id)
    .where(
        _number.c.state == fixed(NumberState.QUARANTINED),
        _number.c.state_reason.in_(bindparam("reasons", expanding=True)),
        # A name is the brand itself: another one would be another sender's.
        _number.c.sender_type != fixed(SenderType.ALPHANUMERIC),
        _number.c.account_id == _lease.c.account_id,
        _lease.c.use == fixed(Use.DEDICATED),
        _lease.c.ended_at.is_(None),
        _lease.c.expires_at > now(),
        _WANTED,
    )
    .order_by(_number.c.changed_at, _number.c.id)
    .limit(_AT_ONCE)
)


async def numbers_to_rotate(
    connection: AsyncConnection, *, reasons: Sequence[str]
) -> list[tuple[NumberFacts, LeaseFacts]]:
    """Return numbers that are set aside for one of some reasons and are to be replaced, with their leases."""
    rows = await connection.execute(_FIND, {"reasons": list(reasons)})
    return [(number_facts(row), lease_facts(row, prefix="lease_")) for row in rows]
