"""Databases for the tests that want one: a migrated SQLite file and a migrated PostgreSQL, shared by a session."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bench.postgres import Cluster
from store.engine import Database
from tests.databases import migrated_postgres, migrated_sqlite


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield migrated_sqlite(tmp_path_factory.mktemp("store") / "countersign.db")
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with migrated_postgres(cluster) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()
