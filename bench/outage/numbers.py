"""The drill's account, and its pool: a number on each carrier, and beside each a cheaper one that nobody authorised."""

from dataclasses import dataclass

from bench.outage.world import ROUTES
from domain.access import EVERY_SCOPE
from domain.audit import SYSTEM
from domain.ids import new_id
from domain.routing import NumberState
from domain.statuses import Environment
from rules.routing.catalog import SenderType
from security.keyring import KeyRing
from services.api_keys import ApiKeys, KeyRequest
from store.accounts import insert_account
from store.authorisations import Pair, authorise
from store.engine import Database
from store.numbers import NewNumber, keep_number

COUNTRY, REGION, ENVIRONMENT = "GB", "eu", Environment.PRODUCTION


@dataclass(frozen=True, slots=True)
class SenderOf:
    """A sender on a carrier."""

    sender: str
    carrier: str


AUTHORISED = frozenset(SenderOf(f"+4477009001{at:02}", each.name) for at, each in enumerate(ROUTES))
# Each of them would be taken first, for its price, if only prices counted.
UNAUTHORISED = frozenset(SenderOf(f"+4477009002{at:02}", each.name) for at, each in enumerate(ROUTES))
_PRICES = {each.name: each.price_micros for each in ROUTES}


async def fill(database: Database) -> None:
    """Add the numbers, and the authorisations of those that have one."""
    async with database.transaction() as connection:
        for each in AUTHORISED | UNAUTHORISED:
            await keep_number(connection, _number(each), state=NumberState.AVAILABLE)
    for each in AUTHORISED:
        await permit(database, each)


async def permit(database: Database, of: SenderOf) -> None:
    """Authorise a sender on its carrier."""
    async with database.transaction() as connection:
        pair = Pair(environment=ENVIRONMENT, country=COUNTRY, sender=of.sender, carrier=of.carrier)
        await authorise(connection, pair, ground="the drill")


async def an_account(database: Database, keys: KeyRing) -> str:
    """Add an account; return a key of it, without a rate."""
    account_id = new_id()
    async with database.transaction() as connection:
        await insert_account(connection, account_id, name="ACME")
    request = KeyRequest(environment=ENVIRONMENT, name="drill", scopes=EVERY_SCOPE, days=None, requests_per_s=0)
    return (await ApiKeys(database=database, keys=keys).make(account_id, request, actor=SYSTEM)).text


def _number(of: SenderOf) -> NewNumber:
    price = _PRICES[of.carrier]
    return NewNumber(
        id=new_id(),
        environment=ENVIRONMENT,
        country=COUNTRY,
        sender=of.sender,
        sender_type=SenderType.LONG_CODE.value,
        carrier=of.carrier,
        region=REGION,
        capabilities=frozenset({"sms"}),
        price_micros=price if of in AUTHORISED else price // 2,
        monthly_micros=0,
    )
