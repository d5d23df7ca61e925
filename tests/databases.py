"""Real PostgreSQL for tests: one server per test process, one database per test that wants to spoil it."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.postgres import Cluster

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """Yield this process's own server. Under xdist each worker has one; it starts when the first test asks for it."""
    with Cluster() as cluster:
        yield cluster


@contextmanager
def fresh_database(cluster: Cluster, *, template: str | None = None) -> Iterator[str]:
    """Yield the URL of a new database, empty or a copy of `template`, and drop it afterwards."""
    name = f"test_{next(_numbers)}"
    cluster.create_database(name, template=template)
    try:
        yield cluster.url(name)
    finally:
        cluster.drop_database(name)
