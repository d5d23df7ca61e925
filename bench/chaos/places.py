"""Where an installation keeps its rows: an SQLite file in its folder, or a PostgreSQL server of its own."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from bench.postgres import Cluster

KINDS = ("sqlite", "postgresql")
_FILE = "countersign.db"
_DATABASE = "countersign"


class Place(Protocol):
    """A database that can be started, and asked whether it is whole."""

    kind: str
    url: str
    cluster: Cluster | None

    async def open(self) -> None:
        """Have it there, empty."""
        ...

    async def close(self) -> None:
        """Have it gone."""
        ...

    def damage(self) -> str:
        """Return what an integrity check finds; nothing when the database is whole."""
        ...


class SqlitePlace:
    """A file, which lives as long as the installation's folder."""

    kind: str = "sqlite"
    cluster: Cluster | None = None

    def __init__(self, home: Path) -> None:
        self._file = home / _FILE
        self.url = f"sqlite:///{self._file}"

    async def open(self) -> None:
        """Leave it to the migration to make the file."""

    async def close(self) -> None:
        """Leave it to the folder."""

    def damage(self) -> str:
        """Return SQLite's own findings, unless they are `ok`."""
        with closing(sqlite3.connect(self._file)) as connection:
            found = "; ".join(str(row[0]) for row in connection.execute("PRAGMA integrity_check"))
        return "" if found == "ok" else found


class PostgresPlace:
    """A server that keeps every commit through a crash."""

    kind: str = "postgresql"

    def __init__(self, _: Path) -> None:
        self.cluster: Cluster | None = None
        self.url = ""

    async def open(self) -> None:
        """Start the server, and make the database."""
        self.cluster = cluster = await asyncio.to_thread(lambda: Cluster(durable=True))
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(cluster.create_database, _DATABASE)
        self.url = cluster.url(_DATABASE)

    async def close(self) -> None:
        """Stop the server, and remove its data."""
        if self.cluster is not None:
            await asyncio.to_thread(self.cluster.close)

    def damage(self) -> str:
        """Find nothing: PostgreSQL starts only once it has recovered, and the drills read every row."""
        return ""


def place_of(kind: str, home: Path) -> Place:
    """Return the place of a kind."""
    return SqlitePlace(home) if kind == SqlitePlace.kind else PostgresPlace(home)
