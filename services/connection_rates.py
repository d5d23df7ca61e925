"""The message parts a second that each carrier's connection takes, set where the workers of a region start."""

from collections.abc import Mapping, Sequence

from rules.routing.capacity import bucket_of, connection_bucket
from store.capacity import set_bucket
from store.engine import Database


async def set_connection_rates(database: Database, rates: Mapping[str, float], *, regions: Sequence[str]) -> None:
    """Set the rates of carriers that have one; what was taken before stays taken."""
    for carrier, parts_per_s in sorted(rates.items()):
        for region in sorted(regions):
            async with database.transaction() as connection:
                await set_bucket(connection, connection_bucket(carrier, region=region), bucket_of(parts_per_s))
