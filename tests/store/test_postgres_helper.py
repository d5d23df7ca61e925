"""The PostgreSQL helper itself: both sources of programs, templates, and what a crash leaves."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bench.postgres import Cluster
from bench.postgres_programs import PostgresError, wheel_binaries
from tests.databases import fresh_database

ROOT = Path(__file__).parents[2]

# A process that starts a server, tells its id and then does nothing until it is killed.
OWNER = """
import time
from bench.postgres import Cluster

cluster = Cluster()
cluster.start()
print(cluster.pid, flush=True)
time.sleep(600)
"""


def wait_until(claim: Callable[[], bool], *, limit_s: float = 20) -> None:
    limit = time.monotonic() + limit_s
    while not claim():
        assert time.monotonic() < limit
        time.sleep(0.05)


async def scalar(url: str, *statements: str) -> object:
    """Run statements in one transaction and return the last one's first value."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()


async def test_a_server_speaks_utf8_and_utc(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.url("postgres")

    assert await scalar(url, "SHOW server_encoding") == "UTF8"
    assert await scalar(url, "SHOW timezone") == "UTC"
    assert await scalar(url, "SHOW listen_addresses") == ""


async def test_the_programs_inside_the_wheel_work_too() -> None:
    binaries = wheel_binaries()
    assert binaries is not None

    with Cluster(binaries=binaries) as cluster:
        assert await scalar(cluster.url("postgres"), "SELECT 1") == 1


async def test_programs_that_the_account_cannot_reach_are_copied(tmp_path: Path) -> None:
    """Run as root, PostgreSQL needs another account, and pytest's folders are closed to it."""
    binaries = wheel_binaries()
    assert binaries is not None
    package = binaries.parent.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(binaries.parent, closed / package.name / binaries.parent.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)

    with Cluster(binaries=closed / package.name / binaries.parent.name / "bin") as cluster:
        assert await scalar(cluster.url("postgres"), "SELECT 1") == 1


async def test_a_database_is_copied_from_its_template(postgres_cluster: Cluster) -> None:
    with fresh_database(postgres_cluster) as template:
        await scalar(template, "CREATE TABLE fact (n int)", "INSERT INTO fact VALUES (7)")

        with fresh_database(postgres_cluster, template=make_url(template).database) as copy:
            assert await scalar(copy, "SELECT n FROM fact") == 7


async def test_a_durable_server_keeps_every_commit_through_a_crash() -> None:
    with Cluster(durable=True) as cluster:
        url = cluster.url("postgres")
        await scalar(url, "CREATE TABLE fact (n int)", "INSERT INTO fact VALUES (7)")

        cluster.kill()
        cluster.restart()

        assert await scalar(url, "SELECT n FROM fact") == 7


async def test_a_killed_server_leaves_no_process_behind(postgres_cluster: Cluster) -> None:
    pid = postgres_cluster.pid
    assert pid is not None
    family = psutil.Process(pid).children(recursive=True)

    postgres_cluster.kill()

    assert family
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    postgres_cluster.start()


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(PostgresError, match="max_connections"), Cluster(max_connections=0):
        pass


def test_a_failing_command_says_why(postgres_cluster: Cluster) -> None:
    with pytest.raises(PostgresError, match="already exists"):
        postgres_cluster.create_database("postgres")


def test_a_server_goes_when_its_owner_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert owner.stdout is not None
    server = psutil.Process(int(owner.stdout.readline()))

    owner.kill()
    owner.communicate()

    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
