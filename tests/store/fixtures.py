"""Databases for the tests that want one: a migrated SQLite file and a migrated PostgreSQL, shared by a session."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.postgres import Cluster
from store.engine import Database
from store.migrate import migrate
from tests.databases import fresh_database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield asyncio.run(_migrated(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store') / 'countersign.db'}"))
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with fresh_database(cluster) as url:
        yield asyncio.run(_migrated(url))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


async def _migrated(url: str) -> str:
    database = Database(url)
    await migrate(database)
    await database.close()
    return url
