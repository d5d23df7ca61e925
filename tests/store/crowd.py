"""Several processes that do the same at the same moment, for rules that must hold on any number of processes."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest

from store.engine import Database

PROCESSES = 4
_PATIENCE_S = 60.0
T = TypeVar("T")
_state: dict[str, Barrier] = {}


class Crowd:
    """Processes that wait for one another before each task, forked from one that has imported everything."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.store.tasks"])
        self._pool = ProcessPoolExecutor(
            PROCESSES, mp_context=context, initializer=_remember, initargs=(context.Barrier(PROCESSES),)
        )

    def run(self, task: Callable[[Database, Any], Awaitable[T]], *, url: str, argument: Any) -> list[T]:
        """Run a task in every process at once, each with its own connections; return what each answered."""
        futures = [self._pool.submit(_run, task, url, argument) for _ in range(PROCESSES)]
        return [future.result(timeout=_PATIENCE_S) for future in futures]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    gathered = Crowd()
    yield gathered
    gathered.close()


def _remember(barrier: Barrier) -> None:
    _state["barrier"] = barrier


def _run(task: Callable[[Database, Any], Awaitable[T]], url: str, argument: Any) -> T:
    return asyncio.run(_with_database(task, url, argument))


async def _with_database(task: Callable[[Database, Any], Awaitable[T]], url: str, argument: Any) -> T:
    database = Database(url, pool_size=10)
    try:
        await database.ping()
        _state["barrier"].wait(timeout=_PATIENCE_S)
        return await task(database, argument)
    finally:
        await database.close()
