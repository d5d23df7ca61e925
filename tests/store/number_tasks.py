"""What a crowd's processes do with numbers and buckets: 25 takers each, a hundred in all."""

import asyncio

from domain.facts import Caller
from domain.statuses import Environment
from store.capacity import take_parts
from store.engine import Database
from store.number_leases import take_number
from store.routing_leases import take_routing_lease
from tests.store.numbering import a_new_lease

TAKERS = 25


async def take_25_numbers(database: Database, what: tuple[Caller, str]) -> list[str]:
    """Ask 25 times at once for a number of a pool; return those that were lent."""
    caller, country = what

    async def take() -> str | None:
        async with database.transaction() as connection:
            taken = await take_number(connection, a_new_lease(caller, country))
        return None if taken is None else taken[0].sender

    return [each for each in await asyncio.gather(*(take() for _ in range(TAKERS))) if each is not None]


async def take_25_routing_leases(database: Database, country: str) -> list[tuple[str, int]]:
    """Ask 25 times at once for the right to send with a number of a pool; return numbers and fences."""

    async def take(at: int) -> tuple[str, int] | None:
        async with database.statement() as connection:
            lease = await take_routing_lease(
                connection, country, environment=Environment.SANDBOX, holder=f"worker {at}", lasts_s=600
            )
        return None if lease is None else (lease.number_id.hex, lease.fence)

    return [each for each in await asyncio.gather(*(take(at) for at in range(TAKERS))) if each is not None]


async def take_25_parts(database: Database, names: list[str]) -> int:
    """Ask 25 times at once for a part of each of some buckets; return how often it was given."""

    async def take() -> bool:
        async with database.transaction() as connection:
            return await take_parts(connection, names, parts=1)

    return sum(await asyncio.gather(*(take() for _ in range(TAKERS))))
