"""Leases that rotate and numbers that are set aside and put back, with the moments from which nothing may leave."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from domain.routing import NumberState
from store.engine import Database
from store.number_tables import RoutingLease
from store.numbers import move_number
from store.route_decisions import database_now
from store.routing_leases import rotate_routing_lease
from store.tables import table_of

_EVERY_S = 0.5
# Of so many turns one sets a number aside, and puts back the one before.
_ASIDE_OF = 4
_lease = table_of(RoutingLease)


@dataclass(slots=True, kw_only=True)
class Taken:
    """By when each fence was surely over, and from when until when each number was surely out of service."""

    fences: dict[tuple[UUID, int], datetime] = field(default_factory=dict)
    aside: list[tuple[UUID, datetime, datetime]] = field(default_factory=list)

    def forbids(self, number_id: UUID, fence: int, at: datetime) -> bool:
        """Say whether nothing may have left with a number under a fence at a moment."""
        is_over = (number_id, fence) in self.fences and at > self.fences[number_id, fence]
        return is_over or any(since < at < until for number, since, until in self.aside if number == number_id)


async def take_away(database: Database, taken: Taken, *, rng: random.Random) -> None:
    """Rotate one lease after the other, and set a number aside now and then, until cancelled."""
    async with database.reading() as connection:
        numbers = list((await connection.execute(select(_lease.c.number_id))).scalars())
    turn, aside = 0, None
    while True:
        turn, number = turn + 1, rng.choice(numbers)
        if turn % _ASIDE_OF == 0:
            if aside is not None:
                await _put_back(database, taken, *aside)
            aside = (number, await _set_aside(database, number))
        await _rotate(database, taken, rng.choice(numbers))
        await asyncio.sleep(_EVERY_S)


async def _rotate(database: Database, taken: Taken, number: UUID) -> None:
    async with database.transaction() as connection:
        lease = await rotate_routing_lease(connection, number)
    if lease is not None:
        taken.fences[number, lease.fence - 1] = await _now(database)


async def _set_aside(database: Database, number: UUID) -> datetime:
    seen, then = NumberState.AVAILABLE, NumberState.QUARANTINED
    async with database.transaction() as connection:
        await move_number(connection, number, seen=seen, then=then, reason="the drill", lasts_s=3600)
    return await _now(database)


async def _put_back(database: Database, taken: Taken, number: UUID, since: datetime) -> None:
    taken.aside.append((number, since, await _now(database)))
    seen, then = NumberState.QUARANTINED, NumberState.AVAILABLE
    async with database.transaction() as connection:
        await move_number(connection, number, seen=seen, then=then)


async def _now(database: Database) -> datetime:
    async with database.reading() as connection:
        return await database_now(connection)
