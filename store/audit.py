"""Writing to the audit trail: in the transaction of what is recorded, so that either both are there or neither."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import AuditEntry, chain_of
from rules.audit.chain import GENESIS, Link, canonical_details, canonical_moment, hash_of
from store.audit_tables import AuditHead, AuditRow
from store.tables import table_of
from store.times import fixed, now

_head = table_of(AuditHead)


def _take(insert_: Any) -> Any:
    """Build the statement that takes a chain's next place and holds its head until the transaction ends."""
    return (
        insert_(_head)
        .values(chain=bindparam("of_chain"), sequence=1, hash=GENESIS)
        .on_conflict_do_update(index_elements=["chain"], set_={"sequence": _head.c.sequence + fixed(1)})
        .returning(_head.c.sequence, _head.c.hash, now().label("at"))
    )


_TAKE = {"sqlite": _take(sqlite.insert), "postgresql": _take(postgresql.insert)}
_ADD = insert(table_of(AuditRow))
_MOVE = update(_head).where(_head.c.chain == bindparam("of_chain")).values(hash=bindparam("to_hash"))


async def record(connection: AsyncConnection, entry: AuditEntry) -> None:
    """Add an entry to its chain, stamped with the database's time.

    Call it as the last thing of a transaction: it holds the chain's head until the transaction ends. One that records
    in two chains takes the account's before the instance's.
    """
    chain = chain_of(entry.account_id)
    place = (await connection.execute(_TAKE[connection.dialect.name], {"of_chain": chain})).one()
    link = Link(
        chain=chain,
        sequence=place.sequence,
        at=canonical_moment(place.at),
        environment=None if entry.environment is None else entry.environment.value,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        details=canonical_details(entry.details),
        previous=place.hash,
    )
    digest = hash_of(link)
    await connection.execute(_ADD, {**asdict(link), "at": place.at, "hash": digest})
    await connection.execute(_MOVE, {"of_chain": chain, "to_hash": digest})
