"""The database: one door for writing, one for reading, and one word for "it is away".

PostgreSQL and SQLite run the same statements. SQLite has one writer at a time: writers of this process queue for it in
order, here, and only processes compete through SQLite's own waiting; so no one is told that the database is locked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from domain.errors import DatabaseUnavailableError

# How long a process waits for another one's write. Over it, something holds the file for good.
_SQLITE_BUSY_MS = 5_000
_POOL_WAIT_S = 10.0
_CONNECT_S = 3.0
# No statement of ours takes a tenth of it; over it, the server is frozen or the network swallows what we send.
_COMMAND_S = 5.0
# Firewalls forget a connection that was silent for some minutes.
_KEEPALIVE_S = 60
# PostgreSQL's classes of errors that say nothing against the statement: log-in, no such database, roll-back forced,
# resources, operator, system.
_PASSING = ("28", "3D", "40", "53", "57", "58")
# Marks a SQLite connection on which each statement is its own transaction, so that none is opened for it.
_SINGLE = {"single_statement": True}


class Database:
    """Connections to the product's database."""

    def __init__(self, url: str, *, pool_size: int = 20, command_timeout_s: float | None = _COMMAND_S) -> None:
        """Take a URL with its driver; migrations, which may take long, take no time-out."""
        self._is_sqlite = url.startswith("sqlite")
        self._engine = (
            _sqlite_engine(url)
            if self._is_sqlite
            else _postgresql_engine(url, pool_size=pool_size, command_timeout_s=command_timeout_s)
        )
        self._single = self._engine.execution_options(
            **_SINGLE if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        )
        self._url = url
        self._turn: asyncio.Lock | None = asyncio.Lock() if self._is_sqlite else None
        self._unfinished: list[Callable[[], Awaitable[None]]] = []

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite, for the few statements that only PostgreSQL has."""
        return self._is_sqlite

    @property
    def engine(self) -> AsyncEngine:
        """Return the engine itself, for migrations and tests."""
        return self._engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, or will not write.

        """
        with _one_word_for_away():
            async with self._writers_turn(), self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one writing statement that is a transaction of its own: a round trip instead of three.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, or will not write.

        """
        with _one_word_for_away():
            async with self._writers_turn(), self._single.connect() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reading; each statement sees what was committed before it.

        Raises:
            DatabaseUnavailableError: the database cannot be reached.

        """
        with _one_word_for_away():
            async with self._single.connect() as connection:
                yield connection

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reading that is none of the pool's, for the rare need of one inside a transaction.

        Whoever holds a connection and waits for another one of the pool may wait for somebody who does the same.

        Raises:
            DatabaseUnavailableError: the database cannot be reached.

        """
        engine = create_async_engine(self._url, poolclass=NullPool)
        with _one_word_for_away():
            try:
                async with asyncio.timeout(_CONNECT_S), engine.connect() as connection:
                    yield connection
            finally:
                await engine.dispose()

    @asynccontextmanager
    async def connecting(self) -> AsyncIterator[AsyncConnection]:
        """Open a bare connection, for migrations.

        Raises:
            DatabaseUnavailableError: the database cannot be reached.

        """
        with _one_word_for_away():
            async with self._engine.connect() as connection:
                yield connection

    async def ping(self) -> None:
        """Ask the database for a word, or raise `DatabaseUnavailableError`."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    def before_close(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Have something finished before the connections are closed: what is written where nobody waits for it."""
        self._unfinished.append(finish)

    async def close(self) -> None:
        """Finish what is to be finished, and close every connection."""
        while self._unfinished:
            await self._unfinished.pop()()
        await self._engine.dispose()

    @asynccontextmanager
    async def _writers_turn(self) -> AsyncIterator[None]:
        """Hold this process's turn to write, where writers take turns; the wait ends as waiting for the file does."""
        if self._turn is None:
            yield
            return
        async with asyncio.timeout(_SQLITE_BUSY_MS / 1000):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()


class _one_word_for_away:  # noqa: N801 - a context manager, read as a phrase
    """Turn the many ways in which a driver says that the database is away into one refusal."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        away = isinstance(error, OperationalError | InterfaceError | PoolTimeoutError | OSError | TimeoutError)
        if away or (isinstance(error, DBAPIError) and _is_passing(error)):
            raise DatabaseUnavailableError("The database does not answer; try again.", retry_after_s=1) from error


def _is_passing(error: DBAPIError) -> bool:
    """Say whether the same statement may work in a moment: the server is going, coming or full, or made us yield."""
    state = getattr(error.orig, "sqlstate", None) or ""
    # A bare DatabaseError is what SQLite says of a file that is no database.
    return error.connection_invalidated or state.startswith(_PASSING) or type(error) is DatabaseError


def _postgresql_engine(url: str, *, pool_size: int, command_timeout_s: float | None) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        # The connection that was given back last is taken first: its server process has all in its caches, where in
        # turns each of twenty would have to read it up: a quarter of the database's CPU where requests come singly.
        pool_use_lifo=True,
        # Short statements gain nothing from compilation, and it can cost a second; nor from being planned for each
        # value, as PostgreSQL does the first five times on each connection: ours look rows up by keys.
        connect_args={
            "timeout": _CONNECT_S,
            "command_timeout": command_timeout_s,
            "server_settings": {
                "jit": "off",
                "plan_cache_mode": "force_generic_plan",
                "application_name": "countersign",
                # Those that wait for a busy hour are forgotten by no firewall on the way.
                "tcp_keepalives_idle": str(_KEEPALIVE_S),
            },
        },
    )


def _sqlite_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=5, max_overflow=0, pool_timeout=_POOL_WAIT_S)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_SQLITE_BUSY_MS}",
            "journal_mode=WAL",
            # WAL with NORMAL survives the death of every process; only a power cut may lose the last moments.
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def take_the_write_lock(connection: Any) -> None:
        # A transaction that reads first and writes later would fail, not wait, if another wrote in between.
        if not connection.get_execution_options().keys() & _SINGLE.keys():
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
