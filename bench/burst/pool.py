"""A pool whose numbers leave through one carrier's connection, and the routes file that gives it its pace."""

import json
from pathlib import Path

from domain.ids import new_id
from domain.routing import NumberState
from domain.statuses import Environment
from rules.routing.capacity import bucket_of, number_bucket
from rules.routing.catalog import SenderType
from rules.routing.number_life import ROUTING_LEASE_S
from store.authorisations import Pair, authorise
from store.capacity import set_bucket
from store.engine import Database
from store.numbers import NewNumber, keep_number
from store.routing_leases import hold_region

CARRIER, REGION, COUNTRY, ENVIRONMENT = "alpha", "eu", "GB", Environment.SANDBOX
_CHEAP_MICROS = 40_000


def write_routes(folder: Path, *, parts_per_s: float) -> Path:
    """Write a routes file with one carrier that accepts everything, so many parts a second; return where."""
    file = folder / "routes.json"
    routes = {
        "carriers": {CARRIER: {"adapter": "null", "parts_per_s": parts_per_s}},
        "everywhere_else": {"primary": COUNTRY, "backups": []},
        "policies": {},
        "senders": [],
    }
    file.write_text(json.dumps(routes), encoding="utf-8")
    return file


async def fill(database: Database, *, numbers: int, each_parts_per_s: float | None) -> None:
    """Add numbers to the pool, each with a pace of its own or none."""
    async with database.transaction() as connection:
        for at in range(numbers):
            number = NewNumber(
                id=new_id(),
                environment=ENVIRONMENT,
                country=COUNTRY,
                sender=f"+4477009002{at:02}",
                sender_type=SenderType.LONG_CODE.value,
                carrier=CARRIER,
                region=REGION,
                capabilities=frozenset({"sms"}),
                price_micros=_CHEAP_MICROS,
                monthly_micros=0,
            )
            await keep_number(connection, number, state=NumberState.AVAILABLE)
            pair = Pair(environment=ENVIRONMENT, country=COUNTRY, sender=number.sender, carrier=CARRIER)
            await authorise(connection, pair, ground="the drill")
            if each_parts_per_s is not None:
                await set_bucket(connection, number_bucket(number.id), bucket_of(each_parts_per_s))
        await hold_region(connection, REGION, lasts_s=ROUTING_LEASE_S)
