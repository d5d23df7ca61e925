"""A start from nothing known: what a drill taught of carriers is not to send the next one's messages past the first."""

import asyncio

from sqlalchemy import delete, select

from bench.chaos.installation import Installation
from bench.chaos.load import approve_one
from store.route_tables import RouteHealth
from store.tables import Attempt, table_of

_FIRST_CARRIER = "alpha"
# Each API process remembers for a second what it knew; of these, one asks each of them.
_IN_A_ROW = 4
_WITHIN_S, _LOOK_EVERY_S = 20.0, 0.2
_health, _attempt = table_of(RouteHealth), table_of(Attempt)
_NEWEST = select(_attempt.c.carrier).where(_attempt.c.sequence == 0).order_by(_attempt.c.planned_at.desc()).limit(1)


async def forget_carriers(site: Installation) -> None:
    """Forget what was learnt of routes, and wait until messages begin on the first carrier again.

    Raises:
        TimeoutError: they do not.

    """
    async with site.database.transaction() as connection:
        await connection.execute(delete(_health))
    in_a_row = 0
    async with asyncio.timeout(_WITHIN_S):
        while in_a_row < _IN_A_ROW:
            await approve_one(site, site.numbers.of_gb_pool(), within_s=_WITHIN_S)
            async with site.database.reading() as connection:
                carrier = (await connection.execute(_NEWEST)).scalar_one()
            in_a_row = in_a_row + 1 if carrier == _FIRST_CARRIER else 0
            await asyncio.sleep(0 if in_a_row else _LOOK_EVERY_S)
