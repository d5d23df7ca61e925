"""What a drill found, read from its database when everything has stood still."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select

from bench.leases.taking import Taken
from domain.statuses import VerificationStatus
from rules.routing.failover import LEASE_LOST_CODE
from rules.routing.number_life import ROUTING_LEASE_S
from store.engine import Database
from store.number_tables import RoutingLease
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now_plus

_attempt, _verification, _lease = table_of(Attempt), table_of(Verification), table_of(RoutingLease)
_HAS_LEFT = (
    select(_attempt.c.id)
    .where(_attempt.c.verification_id == _verification.c.id, _attempt.c.submitting_at.is_not(None))
    .exists()
)
_SENT = select(_attempt.c.number_id, _attempt.c.fence, _attempt.c.submitting_at).where(
    _attempt.c.submitting_at.is_not(None)
)
_LOST = select(func.count()).where(_attempt.c.carrier_code == LEASE_LOST_CODE)
_GIVEN_UP = select(func.count()).where(_verification.c.status != fixed(VerificationStatus.PENDING), ~_HAS_LEFT)
_LEFT = select(func.count()).where(_verification.c.status == fixed(VerificationStatus.PENDING), ~_HAS_LEFT)
_ENDLESS = select(func.count()).where(_lease.c.expires_at > now_plus(ROUTING_LEASE_S + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the drill found. `most_over` is by how many messages a number was over its pace in any second.

    `lost` attempts ended because their number was taken away, and were planned again; messages `given_up` failed
    before anything of them had left, those `left` wait still.
    """

    messages: int
    sends: int
    killed: int
    rotated: int
    set_aside: int
    lost: int
    given_up: int
    left: int
    stale: int
    most_over: int
    endless: int

    @property
    def is_kept(self) -> bool:
        """Say whether everything that is promised holds: all messages had time, so all must have been sent."""
        is_all_sent = self.sends >= self.messages and not self.given_up and not self.left
        return is_all_sent and not self.stale and self.most_over <= 1 and not self.endless


async def messages_left(database: Database) -> int:
    """Return how many messages have not left and may still."""
    return await _count(database, _LEFT)


async def look(database: Database, taken: Taken, *, messages: int, killed: int, parts_per_s: float) -> Report:
    """Read what became of the messages."""
    async with database.reading() as connection:
        rows = (await connection.execute(_SENT)).all()
    moments: dict[UUID, list[datetime]] = defaultdict(list)
    for row in rows:
        moments[row.number_id].append(row.submitting_at)
    return Report(
        messages=messages,
        sends=len(rows),
        killed=killed,
        rotated=len(taken.fences),
        set_aside=len(taken.aside),
        lost=await _count(database, _LOST),
        given_up=await _count(database, _GIVEN_UP),
        left=await messages_left(database),
        stale=sum(taken.forbids(row.number_id, row.fence, row.submitting_at) for row in rows),
        most_over=max((over(sorted(each), parts_per_s) for each in moments.values()), default=0),
        endless=await _count(database, _ENDLESS),
    )


def over(moments: Sequence[datetime], parts_per_s: float) -> int:
    """Return by how many messages the fullest second is over the pace."""
    worst, first = 0, 0
    for at, moment in enumerate(moments):
        while moment - moments[first] >= timedelta(seconds=1):
            first += 1
        worst = max(worst, at - first + 1)
    return max(0, worst - round(parts_per_s))


async def _count(database: Database, query: Select[int]) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())
