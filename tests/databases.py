"""Databases for tests: one PostgreSQL server per test process, and copies of migrated databases on both kinds."""

import asyncio
import atexit
import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from weakref import WeakSet

import pytest

from bench.postgres import Cluster
from store.engine import Database
from store.migrate import migrate

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


_TEMPLATE = "migrated"
_with_template: WeakSet[Cluster] = WeakSet()


@cache
def _sqlite_template() -> Path:
    """Return a migrated database file, of which this process hands out copies."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "migrated.db"
    _migrated(f"sqlite+aiosqlite:///{file}")
    return file


def migrated_sqlite(file: Path) -> str:
    """Return the URL of a database file: a copy of a migrated one, which takes no time, unless it is there already."""
    if not file.exists():
        shutil.copyfile(_sqlite_template(), file)
    return f"sqlite+aiosqlite:///{file}"


@contextmanager
def migrated_postgres(cluster: Cluster) -> Iterator[str]:
    """Yield the URL of a database that was just migrated, and drop it afterwards."""
    if cluster not in _with_template:
        cluster.create_database(_TEMPLATE)
        _migrated(cluster.url(_TEMPLATE))
        _with_template.add(cluster)
    with fresh_database(cluster, template=_TEMPLATE) as url:
        yield url


def _migrated(url: str) -> None:
    """Migrate in a loop of its own, in a thread of its own: a test's may be running in this one."""
    thread = threading.Thread(target=lambda: asyncio.run(_migrate(url)))
    thread.start()
    thread.join()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()
