"""A database with a pool of numbers, and messages planned on them."""

import base64

from domain.facts import Caller
from domain.ids import new_id
from domain.phone import parse_phone
from domain.routing import NumberState
from domain.statuses import Environment
from rules.protection.checks import CheckLimits
from rules.routing.capacity import bucket_of, number_bucket
from rules.routing.catalog import SenderType, catalog_of
from rules.routing.number_life import ROUTING_LEASE_S
from runtime.settings import reference
from runtime.setup import number_sealer
from security.key_encryption import KeyEncryptions, LocalKey
from security.keyring import KeyRing
from services.keys import open_keys
from services.refusals import Refusals
from services.sends import Sends, StartRequest
from store.accounts import insert_account
from store.authorisations import Pair, authorise
from store.capacity import set_bucket
from store.engine import Database
from store.numbers import NewNumber, keep_number
from store.route_book import RouteBook
from store.router import Router
from store.routing_leases import hold_region

CARRIERS, REGION, COUNTRY, ENVIRONMENT = ("alpha", "bravo", "charlie"), "eu", "GB", Environment.PRODUCTION
NUMBERS = 10
_ROUTES = {
    "carriers": {name: {"adapter": "null"} for name in CARRIERS},
    "everywhere_else": {"primary": COUNTRY, "backups": []},
    "policies": {},
    "senders": [],
}


async def keys_of(database: Database) -> KeyRing:
    """Return the keys of the drill's database."""
    return await open_keys(database, KeyEncryptions(LocalKey(base64.b64encode(bytes(range(32))).decode())))


def router() -> Router:
    """Return what chooses routes."""
    catalog = catalog_of(_ROUTES, reference("country_rules.json")["countries"])
    return Router(RouteBook(catalog=catalog, takes={COUNTRY: frozenset(SenderType)}))


async def fill_pool(database: Database, *, parts_per_s: float) -> None:
    """Add numbers on three carriers, each with its pace, lent to the region's workers."""
    async with database.transaction() as connection:
        for at in range(NUMBERS):
            number = NewNumber(
                id=new_id(),
                environment=ENVIRONMENT,
                country=COUNTRY,
                sender=f"+4477009001{at:02}",
                sender_type=SenderType.LONG_CODE.value,
                carrier=CARRIERS[at % len(CARRIERS)],
                region=REGION,
                capabilities=frozenset({"sms"}),
                price_micros=40_000,
                monthly_micros=0,
            )
            await keep_number(connection, number, state=NumberState.AVAILABLE)
            pair = Pair(environment=ENVIRONMENT, country=COUNTRY, sender=number.sender, carrier=number.carrier)
            await authorise(connection, pair, ground="the drill")
            await set_bucket(connection, number_bucket(number.id), bucket_of(parts_per_s))
        await hold_region(connection, REGION, lasts_s=ROUTING_LEASE_S)


class Starts:
    """Plans messages, one after the other."""

    def __init__(self, *, database: Database, keys: KeyRing, caller: Caller) -> None:
        self._database, self._caller = database, caller
        self._sends = Sends(
            keys=keys,
            numbers=number_sealer(keys),
            router=router(),
            limits=CheckLimits(),
            refusals=Refusals(database),
        )

    async def one(self, number: int) -> None:
        """Plan one message to a number of its own."""
        phone = parse_phone(f"+4474{number:08d}", environment=ENVIRONMENT)
        await self._sends.make_ready(self._caller)
        async with self._database.transaction() as connection:
            await self._sends.start(
                connection, self._caller, phone, StartRequest(to=phone.e164, ttl_s=600), new_id=new_id()
            )


async def starts_of(database: Database) -> Starts:
    """Return what plans messages for a new account."""
    caller = Caller(account_id=new_id(), account_name="ACME", environment=ENVIRONMENT, key_id="drill")
    async with database.transaction() as connection:
        await insert_account(connection, caller.account_id, name=caller.account_name)
    return Starts(database=database, keys=await keys_of(database), caller=caller)
