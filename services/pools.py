"""The instance's pools: what the reference data hold is there, and what an operator changed since stays."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, AuditEntry
from domain.ids import new_id
from domain.routing import NumberState
from domain.statuses import Environment
from rules.routing.capacity import bucket_of, number_bucket
from rules.routing.pools import PoolBook, PoolSender
from store.audit import record
from store.authorisations import Pair, authorisations_for, authorise
from store.capacity import set_bucket
from store.engine import Database
from store.numbers import NewNumber, keep_number, numbers_of_pool


class Pools:
    """Fills the pools of an environment."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self, book: PoolBook, *, environment: Environment) -> int:
        """Add the senders and permissions that are missing; return how many. What is there is left as it is.

        So a number that an operator retired does not come back, and a permission that was taken back stays so.
        """
        async with self._database.transaction() as connection:
            added = await self._add_senders(connection, book, environment)
            added += await self._add_grants(connection, book, environment)
            if added:
                await record(
                    connection,
                    AuditEntry(
                        account_id=None,
                        environment=environment,
                        actor=SYSTEM,
                        action="pools.loaded",
                        subject=None,
                        details={"added": added},
                    ),
                )
        return added

    async def _add_senders(self, connection: AsyncConnection, book: PoolBook, environment: Environment) -> int:
        added = 0
        for country in sorted({each.country for each in book.senders}):
            there = {
                (each.carrier, each.sender)
                for each in await numbers_of_pool(connection, country, environment=environment)
            }
            for sender in book.senders:
                if sender.country == country and (sender.carrier, sender.sender) not in there:
                    added += await _add(connection, sender, currency=book.currency, environment=environment)
        return added

    async def _add_grants(self, connection: AsyncConnection, book: PoolBook, environment: Environment) -> int:
        added = 0
        for country in sorted({each.country for each in book.grants}):
            there = await authorisations_for(connection, country, environment=environment)
            for grant in book.grants:
                if grant.country == country and (grant.sender, grant.carrier) not in there:
                    pair = Pair(environment=environment, country=country, sender=grant.sender, carrier=grant.carrier)
                    await authorise(connection, pair, ground=grant.ground)
                    added += 1
        return added


async def _add(connection: AsyncConnection, sender: PoolSender, *, currency: str, environment: Environment) -> bool:
    """Keep a sender, available, with its bucket; False when somebody else has just done so."""
    new = NewNumber(
        id=new_id(),
        environment=environment,
        country=sender.country,
        sender=sender.sender,
        sender_type=sender.sender_type,
        carrier=sender.carrier,
        region=sender.region,
        capabilities=sender.capabilities,
        price_micros=sender.price_micros,
        monthly_micros=sender.monthly_micros,
        currency=currency,
    )
    if not await keep_number(connection, new, state=NumberState.AVAILABLE):
        return False
    await set_bucket(connection, number_bucket(new.id), bucket_of(sender.parts_per_s))
    return True
