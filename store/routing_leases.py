"""Routing leases: of any number of workers one may send with a number, and one that lost it cannot.

A lease is taken in one statement. Its fence is higher than that of every lease before it; whoever sends proves the
fence in the statement that begins the submission.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import RoutingLease
from domain.statuses import Environment
from rules.routing.number_life import IN_SERVICE
from store import number_tables
from store.tables import table_of
from store.times import now, now_plus

_lease = table_of(number_tables.RoutingLease)
_number = table_of(number_tables.SenderNumber)
_until = now_plus(bindparam("lasts_s", type_=Integer))
_FREE = (
    select(_lease.c.number_id)
    .join(_number, _number.c.id == _lease.c.number_id)
    .where(
        _number.c.environment == bindparam("of_environment"),
        _number.c.country == bindparam("of_country"),
        _number.c.state.in_(sorted(IN_SERVICE)),
        _lease.c.expires_at <= now(),
    )
    .order_by(_lease.c.expires_at, _lease.c.number_id)
    .limit(1)
    # SQLite has one writer at a time and leaves this out.
    .with_for_update(of=_lease, skip_locked=True)
    .scalar_subquery()
)
_TAKE = (
    update(_lease)
    .where(_lease.c.number_id == _FREE)
    .values(holder=bindparam("by_holder"), fence=_lease.c.fence + 1, expires_at=_until)
    .returning(_lease)
)
# Renewed in one order by everybody, so that nobody waits in a circle; and only by who comes first, before half is over.
_DUE = (
    select(_lease.c.number_id)
    .join(_number, _number.c.id == _lease.c.number_id)
    .where(
        _number.c.region == bindparam("of_region"),
        _number.c.state.in_(sorted(IN_SERVICE)),
        or_(
            and_(
                _lease.c.holder == bindparam("by_holder"),
                _lease.c.expires_at <= now_plus(bindparam("half_s", type_=Integer)),
            ),
            _lease.c.expires_at <= now(),
        ),
    )
    .order_by(_lease.c.number_id)
    .with_for_update(of=_lease)
)
_HOLD = (
    update(_lease)
    .where(_lease.c.number_id.in_(_DUE))
    .values(
        holder=bindparam("by_holder"),
        # Whoever had it before has lost it; the same holder goes on with what it planned.
        fence=_lease.c.fence + case((_lease.c.holder == bindparam("by_holder"), 0), else_=1),
        expires_at=_until,
    )
)
_ROTATE = (
    update(_lease)
    .where(_lease.c.number_id == bindparam("of_number"))
    .values(fence=_lease.c.fence + 1)
    .returning(_lease)
)
_IS_HELD = and_(
    _lease.c.number_id == bindparam("of_number"),
    _lease.c.fence == bindparam("of_fence"),
    _lease.c.expires_at > now(),
)
_RENEW = update(_lease).where(_IS_HELD).values(expires_at=_until).returning(_lease)
_GIVE_BACK = update(_lease).where(_IS_HELD).values(holder=None, expires_at=now())
_PROVE = select(_lease.c.number_id).where(_IS_HELD)


async def take_routing_lease(
    connection: AsyncConnection, country: str, *, environment: Environment, holder: str, lasts_s: int
) -> RoutingLease | None:
    """Lend the number of a pool that has been free longest; None when all are lent or out of service."""
    values = {
        "of_environment": environment.value,
        "of_country": country,
        "by_holder": holder,
        "lasts_s": lasts_s,
    }
    return _facts((await connection.execute(_TAKE, values)).one_or_none())


async def hold_region(connection: AsyncConnection, region: str, *, lasts_s: int) -> int:
    """Hold the leases of all numbers in service whose carriers are near a region, for its workers together.

    Return how many were renewed or taken; none where another worker of the region has just done so.
    """
    values = {"of_region": region, "by_holder": holder_of(region), "lasts_s": lasts_s, "half_s": lasts_s // 2}
    return (await connection.execute(_HOLD, values)).rowcount


async def rotate_routing_lease(connection: AsyncConnection, number_id: UUID) -> RoutingLease | None:
    """Let nothing leave with a number that was planned before now; None where there is no such number."""
    return _facts((await connection.execute(_ROTATE, {"of_number": number_id})).one_or_none())


def holder_of(region: str) -> str:
    """Return the name under which the workers of a region hold leases."""
    return f"region:{region}"


async def renew_routing_lease(connection: AsyncConnection, lease: RoutingLease, *, lasts_s: int) -> RoutingLease | None:
    """Let a lease last from now on; None when it is over or another's already."""
    return _facts((await connection.execute(_RENEW, {**_named(lease), "lasts_s": lasts_s})).one_or_none())


async def give_back_routing_lease(connection: AsyncConnection, lease: RoutingLease) -> bool:
    """End a lease before its time; False when it was lost before."""
    return bool((await connection.execute(_GIVE_BACK, _named(lease))).rowcount)


async def is_fence_good(connection: AsyncConnection, lease: RoutingLease) -> bool:
    """Say whether the holder of a lease may still send with its number."""
    return (await connection.execute(_PROVE, _named(lease))).one_or_none() is not None


def _named(lease: RoutingLease) -> dict[str, Any]:
    return {"of_number": lease.number_id, "of_fence": lease.fence}


def _facts(row: Any) -> RoutingLease | None:
    if row is None:
        return None
    return RoutingLease(number_id=row.number_id, holder=row.holder, fence=row.fence, expires_at=row.expires_at)
