"""Workers killed while leases rotate: what left, under which fence, how fast."""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from bench.leases.installation import Starts, fill_pool, starts_of
from domain.statuses import AttemptStatus
from store.engine import Database
from store.migrate import migrate
from store.number_tables import RoutingLease
from store.route_decisions import database_now
from store.routing_leases import rotate_routing_lease
from store.tables import Attempt, table_of
from store.times import fixed, now_plus

_WORKERS, _ROTATE_EVERY_S = 3, 0.5
_LONGEST_LEASE_S = 31
_attempt, _lease = table_of(Attempt), table_of(RoutingLease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the drill found. `most_over` is by how many messages a number was over its pace in any second."""

    sends: int
    killed: int
    rotated: int
    lost: int
    stale: int
    most_over: int
    endless: int
    left: int

    @property
    def is_kept(self) -> bool:
        """Say whether everything that is promised holds."""
        return not self.stale and self.most_over <= 1 and not self.endless and not self.left


async def drill(url: str, *, messages: int, parts_per_s: float, kill_every_s: float, within_s: float) -> Report:
    """Plan messages while workers send them, are killed and started again, and leases rotate; then look."""
    database = Database(url, command_timeout_s=None)
    await migrate(database)
    await fill_pool(database, parts_per_s=parts_per_s)
    starts = await starts_of(database)
    workers = [await _worker(url) for _ in range(_WORKERS)]
    rotations: dict[tuple[UUID, int], datetime] = {}
    killed = 0
    rotating = asyncio.create_task(_rotate(database, rotations))
    try:
        planning = asyncio.create_task(_plan(starts, messages))
        until = time.monotonic() + within_s
        next_kill = time.monotonic() + kill_every_s
        while time.monotonic() < until and (not planning.done() or await _planned(database)):
            await asyncio.sleep(0.1)
            if time.monotonic() >= next_kill:
                workers[killed % _WORKERS].kill()
                await workers[killed % _WORKERS].wait()
                workers[killed % _WORKERS] = await _worker(url)
                killed, next_kill = killed + 1, time.monotonic() + kill_every_s
        await planning
    finally:
        rotating.cancel()
        with suppress(asyncio.CancelledError):
            await rotating
        for each in workers:
            each.kill()
            await each.wait()
    report = await _look(database, rotations, killed=killed, parts_per_s=parts_per_s)
    await database.close()
    return report


async def _worker(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.leases.worker", url)


async def _plan(starts: Starts, messages: int) -> None:
    for number in range(messages):
        await starts.one(number)


async def _rotate(database: Database, rotations: dict[tuple[UUID, int], datetime]) -> None:
    """Rotate one lease after the other, and note by when each fence was surely over."""
    async with database.reading() as connection:
        numbers = list((await connection.execute(select(_lease.c.number_id))).scalars())
    while True:
        number = random.choice(numbers)
        async with database.transaction() as connection:
            lease = await rotate_routing_lease(connection, number)
        async with database.reading() as connection:
            over_at = await database_now(connection)
        if lease is not None:
            rotations[number, lease.fence - 1] = over_at
        await asyncio.sleep(_ROTATE_EVERY_S)


async def _planned(database: Database) -> int:
    query = select(func.count()).where(_attempt.c.status == fixed(AttemptStatus.PLANNED))
    async with database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


async def _look(
    database: Database, rotations: dict[tuple[UUID, int], datetime], *, killed: int, parts_per_s: float
) -> Report:
    sent = select(_attempt.c.number_id, _attempt.c.fence, _attempt.c.submitting_at).where(
        _attempt.c.submitting_at.is_not(None)
    )
    lost = select(func.count()).where(_attempt.c.carrier_code == "lease-lost")
    endless = select(func.count()).where(_lease.c.expires_at > now_plus(_LONGEST_LEASE_S))
    async with database.reading() as connection:
        rows = (await connection.execute(sent)).all()
        lost_ones = int((await connection.execute(lost)).scalar_one())
        endless_ones = int((await connection.execute(endless)).scalar_one())
    moments: dict[UUID, list[datetime]] = defaultdict(list)
    for row in rows:
        moments[row.number_id].append(row.submitting_at)
    never = datetime.max.replace(tzinfo=UTC)
    return Report(
        sends=len(rows),
        killed=killed,
        rotated=len(rotations),
        lost=lost_ones,
        stale=sum(row.submitting_at > rotations.get((row.number_id, row.fence), never) for row in rows),
        most_over=max((_over(sorted(each), parts_per_s) for each in moments.values()), default=0),
        endless=endless_ones,
        left=await _planned(database),
    )


def _over(moments: Sequence[datetime], parts_per_s: float) -> int:
    """Return by how many messages the fullest second is over the pace."""
    worst, first = 0, 0
    for at, moment in enumerate(moments):
        while moment - moments[first] >= timedelta(seconds=1):
            first += 1
        worst = max(worst, at - first + 1)
    return max(0, worst - round(parts_per_s))
