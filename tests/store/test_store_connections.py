"""Which connection of the pool a statement gets: the one used last, whose server process has all in its caches."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.postgres import Cluster
from store.engine import Database
from tests.databases import fresh_database

_WHO = text("SELECT pg_backend_pid()")


async def test_what_comes_singly_goes_through_one_connection_however_many_are_open(postgres_cluster: Cluster) -> None:
    with fresh_database(postgres_cluster) as url:
        database = Database(url)
        everybody_has_one = asyncio.Barrier(3)

        async def hold_one() -> int:
            async with database.reading() as connection:
                await everybody_has_one.wait()
                return await _served_by(connection)

        async def ask() -> int:
            async with database.reading() as connection:
                return await _served_by(connection)

        open_ones = set(await asyncio.gather(*(hold_one() for _ in range(3))))
        taken = {await ask() for _ in range(5)}
        await database.close()

    assert len(open_ones) == 3
    assert len(taken) == 1


async def _served_by(connection: AsyncConnection) -> int:
    return int((await connection.execute(_WHO)).scalar_one())
