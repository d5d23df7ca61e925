"""Loading the reference data fills the pools once, and leaves alone what was changed since."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from domain.routing import NumberState
from domain.statuses import Environment
from rules.routing.capacity import number_bucket
from rules.routing.pools import PoolBook, pool_book_of
from runtime.settings import reference
from services.pools import Pools
from store.audit_tables import AuditRow
from store.authorisations import Pair, authorisations_for, revoke
from store.capacity import read_bucket
from store.engine import Database
from store.migrate import migrate
from store.numbers import move_number, numbers_of_pool
from store.tables import table_of
from tests.databases import fresh_database
from tests.store.numbering import SANDBOX


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    with ExitStack() as stack:
        url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_cluster")))
        database = Database(url)
        await migrate(database)
        yield database
        await database.close()


def book() -> PoolBook:
    return pool_book_of(reference("pools.json"), reference("country_rules.json")["countries"])


async def test_pools_are_filled_once_and_what_was_changed_since_stays(empty_database: Database) -> None:
    pools = Pools(database=empty_database)

    first = await pools.load(book(), environment=SANDBOX)
    async with empty_database.transaction() as connection:
        number, *_ = await numbers_of_pool(connection, "GB", environment=SANDBOX)
        await move_number(connection, number.id, seen=NumberState.AVAILABLE, then=NumberState.SUSPENDED)
        pair = Pair(environment=SANDBOX, country="GB", sender=number.sender, carrier=number.carrier)
        await revoke(connection, pair, ground="the brand was sold")
    again = await pools.load(book(), environment=SANDBOX)

    assert first == len(book().senders) + len(book().grants)
    assert again == 0
    async with empty_database.reading() as connection:
        found = {each.id: each for each in await numbers_of_pool(connection, "GB", environment=SANDBOX)}
        permissions = await authorisations_for(connection, "GB", environment=SANDBOX)
        bucket = await read_bucket(connection, number_bucket(number.id))
        in_production = await numbers_of_pool(connection, "GB", environment=Environment.PRODUCTION)
        actions = (await connection.execute(select(table_of(AuditRow).c.action))).scalars().all()
    assert found[number.id].state is NumberState.SUSPENDED
    assert permissions[number.sender, number.carrier].until is not None
    assert bucket is not None
    assert in_production == []
    assert actions.count("pools.loaded") == 1


async def test_what_the_reference_data_gain_is_added(empty_database: Database) -> None:
    pools, whole = Pools(database=empty_database), book()
    without = PoolBook(
        currency=whole.currency,
        senders=whole.senders[1:],
        grants=whole.grants[3:],
        sender_types=whole.sender_types,
    )

    await pools.load(without, environment=SANDBOX)

    assert await pools.load(whole, environment=SANDBOX) == 4
