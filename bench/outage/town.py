"""An installation on SQLite with three carriers in one pool, and what it runs: nothing of the product is written again.

The product's services, activities, tables and loops are as they are. Two things are not: the clock, which stands until
it is moved, and Temporal, in whose place a loop calls the same activities in the order of `workflows/verification.py`.
"""

import base64
from pathlib import Path

from bench.outage.virtual import Clock
from bench.outage.world import ROUTES
from domain.access import EVERY_SCOPE
from domain.facts import Caller
from domain.ids import new_id
from domain.messages import StartVerification, VerificationEnded
from domain.routing import NumberState
from domain.statuses import Environment
from rules.protection.checks import CheckLimits
from rules.routing.catalog import Catalog, SenderType, catalog_of
from runtime.settings import reference
from runtime.setup import number_sealer
from security.key_encryption import KeyEncryptions, LocalKey
from security.keyring import KeyRing
from services.checks import Checks
from services.keys import open_keys
from services.presenting import Presenter
from services.refusals import Refusals
from services.sends import Sends
from services.wrong_checks import WrongCheckBudget
from store.accounts import insert_account
from store.authorisations import Pair, authorise
from store.engine import Database
from store.migrate import migrate
from store.numbers import NewNumber, keep_number
from store.route_book import RouteBook
from store.router import Router

COUNTRY, REGION, ENVIRONMENT = "GB", "eu", Environment.PRODUCTION
_UNLIMITED = 1_000_000_000
_ROUTES = {
    "carriers": {each.name: {"adapter": "null"} for each in ROUTES},
    "everywhere_else": {"primary": COUNTRY, "backups": []},
    "policies": {},
    "senders": [],
}


class Quiet:
    """Stands where workflows are told of ends: here the loop finds them in the database."""

    async def ping(self) -> None:
        """Answer."""

    async def start(self, start: StartVerification, *, account_id: object) -> None:
        """Start nothing."""

    async def send_another(self, start: StartVerification, *, account_id: object) -> None:
        """Send nothing."""

    async def receipt_was_bad(self, verification_id: object, *, attempt_id: object) -> None:
        """Tell nobody."""

    def tell_ended(self, verification_id: object, ended: VerificationEnded) -> None:
        """Tell nobody."""

    async def drain(self) -> None:
        """Have nothing left to tell."""


class Town:
    """The installation's parts."""

    def __init__(self, *, database: Database, keys: KeyRing, caller: Caller, clock: Clock) -> None:
        self.database, self.keys, self.caller, self.clock = database, keys, caller, clock
        self.router = Router(RouteBook(catalog=_catalog(), takes={COUNTRY: frozenset(SenderType)}, clock=clock.read))
        numbers, refusals = number_sealer(keys), Refusals(database)
        limits = CheckLimits()
        self.sends = Sends(keys=keys, numbers=numbers, router=self.router, limits=limits, refusals=refusals)
        self.checks = Checks(
            database=database,
            keys=keys,
            presenter=Presenter(numbers),
            workflows=Quiet(),
            budget=WrongCheckBudget(database, per_account=_UNLIMITED, per_instance=_UNLIMITED),
            failures_cap=limits.failures_in_a_row,
        )


async def open_town(folder: Path, clock: Clock) -> Town:
    """Return an installation with a number on each carrier of the drill, at the drill's prices."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'outage.db'}")
    clock.rule(database)
    await migrate(database)
    keys = await open_keys(database, KeyEncryptions(LocalKey(base64.b64encode(bytes(range(32))).decode())))
    caller = Caller(
        account_id=new_id(), account_name="ACME", environment=ENVIRONMENT, key_id="drill", scopes=EVERY_SCOPE
    )
    async with database.transaction() as connection:
        await insert_account(connection, caller.account_id, name=caller.account_name)
        for at, route in enumerate(ROUTES):
            number = _number(route.name, f"+4477009001{at:02}", price_micros=route.price_micros)
            await keep_number(connection, number, state=NumberState.AVAILABLE)
            pair = Pair(environment=ENVIRONMENT, country=COUNTRY, sender=number.sender, carrier=number.carrier)
            await authorise(connection, pair, ground="the drill")
    return Town(database=database, keys=keys, caller=caller, clock=clock)


def _catalog() -> Catalog:
    return catalog_of(_ROUTES, reference("country_rules.json")["countries"])


def _number(carrier: str, sender: str, *, price_micros: int) -> NewNumber:
    return NewNumber(
        id=new_id(),
        environment=ENVIRONMENT,
        country=COUNTRY,
        sender=sender,
        sender_type=SenderType.LONG_CODE.value,
        carrier=carrier,
        region=REGION,
        capabilities=frozenset({"sms"}),
        price_micros=price_micros,
        monthly_micros=0,
    )
