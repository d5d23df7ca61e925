"""A migrated database of one test alone, on both kinds: its keys are its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.postgres import Cluster
from store.engine import Database
from tests.databases import fresh_database, migrated_postgres, migrated_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def own_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield migrated_sqlite(tmp_path / "own.db")
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with migrated_postgres(cluster) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a database that nobody has migrated."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with fresh_database(cluster) as url:
        yield url


@pytest.fixture
async def own_database(own_url: str) -> AsyncIterator[Database]:
    database = Database(own_url)
    yield database
    await database.close()
