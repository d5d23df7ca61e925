"""The present fence of an attempt's number: what waited goes on under it, where it may still use the number.

A message waits for its turn for minutes, and the lease of its number may be renewed under another fence meanwhile. What
the choice of its route proved of the number is proved again: that its region's workers hold the lease, that the number
is in service and nobody else's, that it may be used towards the country now.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, and_, bindparam, case, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus
from rules.routing.number_life import IN_SERVICE, ROUTING_LEASE_S
from store.number_tables import RoutingLease, SenderAuthorisation, SenderNumber
from store.route_policies import EVERYWHERE_ELSE
from store.routing_leases import hold_region, holder_of
from store.tables import Attempt, Verification, table_of
from store.times import fixed, keyed, now

_attempt, _verification = table_of(Attempt), table_of(Verification)
_number, _lease, _permission = table_of(SenderNumber), table_of(RoutingLease), table_of(SenderAuthorisation)
_own = _permission.alias("own")
_HAS_OWN = (
    select(literal(1))
    .where(_own.c.environment == _verification.c.environment, _own.c.country == _verification.c.country)
    .correlate(_verification)
    .exists()
)
_IS_AUTHORISED = (
    select(literal(1))
    .where(
        _permission.c.environment == _verification.c.environment,
        _permission.c.country == case((_HAS_OWN, _verification.c.country), else_=EVERYWHERE_ELSE),
        _permission.c.sender == _attempt.c.sender,
        _permission.c.carrier == _attempt.c.carrier,
        _permission.c.valid_since <= now(),
        or_(_permission.c.valid_until.is_(None), _permission.c.valid_until > now()),
    )
    .correlate(_attempt, _verification)
    .exists()
)
_USABLE = (
    select(
        _attempt.c.region,
        _lease.c.holder,
        _lease.c.fence,
        (_lease.c.expires_at > now()).label("is_held"),
    )
    .select_from(
        _attempt.join(_verification, _verification.c.id == _attempt.c.verification_id)
        .join(_number, _number.c.id == _attempt.c.number_id)
        .join(_lease, _lease.c.number_id == _attempt.c.number_id)
    )
    .where(
        _attempt.c.id == bindparam("of_attempt"),
        _attempt.c.status == keyed(AttemptStatus.PLANNED),
        _number.c.region == _attempt.c.region,
        _number.c.state.in_([fixed(each) for each in sorted(IN_SERVICE)]),
        or_(_number.c.account_id.is_(None), _number.c.account_id == _verification.c.account_id),
        _IS_AUTHORISED,
    )
)
_GO_ON = (
    update(_attempt)
    .where(and_(_attempt.c.id == bindparam("of_attempt"), _attempt.c.status == keyed(AttemptStatus.PLANNED)))
    .values(fence=bindparam("present", type_=BigInteger))
)


async def go_on(connection: AsyncConnection, attempt_id: UUID) -> bool:
    """Have a planned attempt go on under its number's present fence; False where it may not use the number any more.

    To be called by a worker of the attempt's region. A lease that has run out is taken for the region, as each of its
    workers does all the time. Whoever begins the submission proves the fence there, whatever changed since.
    """
    found = await _usable(connection, attempt_id)
    if found is not None and not found.is_held:
        await hold_region(connection, found.region, lasts_s=ROUTING_LEASE_S)
        found = await _usable(connection, attempt_id)
    if found is None or not found.is_held or found.holder != holder_of(found.region):
        return False
    values = {"of_attempt": attempt_id, "present": found.fence}
    return bool((await connection.execute(_GO_ON, values)).rowcount)


async def _usable(connection: AsyncConnection, attempt_id: UUID) -> Any:
    return (await connection.execute(_USABLE, {"of_attempt": attempt_id})).one_or_none()
