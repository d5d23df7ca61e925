"""How PostgreSQL reads a table that it knows nothing of yet: by keys, never through all that is open.

Plans are made once per connection (`store/engine.py`), and before the first `ANALYZE` a partial index looks as cheap as
a key. Of a burst each message would then read all the others.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.postgres import Cluster
from domain.statuses import VerificationStatus
from rules.routing.capacity import bucket_of, connection_bucket
from store.capacity import set_bucket
from store.engine import Database
from store.verifications import conclude
from tests.activities.scripted import ACCEPTED, ScriptedCarrier
from tests.activities.test_capacity import planned, send, send_in_turn
from tests.activities.test_routes_from_pools import a_sender
from tests.building import a_caller, code_of, use_cases
from tests.databases import migrated_postgres
from tests.store.numbering import a_country

# Of what is open; each by itself holds as many rows as a burst.
OPEN_BY_TIME = {"verification_due", "attempt_planned"}
# An account's one pending verification of a number: a key where the number is part of the condition.
OPEN_BY_NUMBER = "verification_pending"


@pytest.fixture
def empty_url(postgres_cluster: Cluster) -> Iterator[str]:
    with migrated_postgres(postgres_cluster) as url:
        yield url


async def statements_of_a_verification(database: Database) -> list[str]:
    """Have two messages wait for one connection and leave, the code of one typed, the other canceled."""
    said = list[str]()

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    country, caller = a_country(), await a_caller(database)
    await a_sender(database, country)
    async with database.transaction() as connection:
        await set_bucket(connection, connection_bucket("alpha", region="eu"), bucket_of(5))
    one, other = [await planned(database, country, caller) for _ in range(2)]
    carrier = ScriptedCarrier(script=[ACCEPTED])
    waits = [(await send(database, each, carrier)).wait_s for each in (one, other)]
    await asyncio.gather(*(send_in_turn(database, each, carrier) for each in (one, other)))
    outcome = await use_cases(database).checks.check(caller, one.facts.id, code_of(one.facts.id))
    async with database.transaction() as connection:
        await conclude(connection, other.facts.id, status=VerificationStatus.CANCELED, reason="gone", failures_cap=10)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert outcome.valid
    assert len(carrier.messages) == 2, waits
    return list(dict.fromkeys(said))


async def plan_of(connection: AsyncConnection, statement: str) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a statement's generic plan."""
    parameters = max((int(each) for each in re.findall(r"\$(\d+)", statement)), default=0)
    given = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    await connection.exec_driver_sql(f"PREPARE it AS {statement}")
    told = (await connection.execute(text(f"EXPLAIN (FORMAT JSON) EXECUTE it{given}"))).scalar_one()
    await connection.exec_driver_sql("DEALLOCATE it")
    return _nodes(told[0]["Plan"])


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


async def test_no_statement_of_a_verification_reads_all_that_are_open(empty_url: str) -> None:
    database = Database(empty_url)
    statements = await statements_of_a_verification(database)
    through = set[tuple[str, str]]()
    async with database.reading() as connection:
        for statement in statements:
            nodes = await plan_of(connection, statement)
            through |= {(each["Index Name"], each.get("Index Cond", "")) for each in nodes if "Index Name" in each}
    await database.close()

    used = {index for index, _ in through}
    assert {"verification_pkey", "attempt_pkey", "attempt_line"} <= used
    assert not OPEN_BY_TIME & used
    assert all("number_hash" in condition for index, condition in through if index == OPEN_BY_NUMBER)
