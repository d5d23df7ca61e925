"""`python -m bench.chaos.writer WRITERS`: write to the database as fast as it goes, until told to stop.

Each writer has a connection of its own, as another process would. Prints what came of it, as JSON, at SIGTERM.
"""

import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass

from domain.errors import DatabaseUnavailableError
from runtime.settings import Settings
from store import budgets
from store.engine import Database

_HOUR_S = 3600
_AFTER_A_REFUSAL_S = 0.05


@dataclass(slots=True)
class Written:
    """How many writes were done, how many refused and why, and how long the slowest took."""

    done: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    first_refusal: str = ""


async def write(name: str, url: str, *, told_to_stop: asyncio.Event, written: Written) -> None:
    """Take from a budget of its own, again and again."""
    database = Database(url, pool_size=1)
    while not told_to_stop.is_set():
        started = time.monotonic()
        try:
            async with database.transaction() as connection:
                await budgets.take(
                    connection, scope=name, hour=int(time.time()) // _HOUR_S, amount=1, limit=sys.maxsize >> 32
                )
            written.done += 1
        except DatabaseUnavailableError as error:
            written.refused += 1
            written.first_refusal = written.first_refusal or str(error.__cause__)[:80]
            await asyncio.sleep(_AFTER_A_REFUSAL_S)
        written.slowest_s = max(written.slowest_s, time.monotonic() - started)
    await database.close()


async def run(count: int) -> Written:
    """Write until SIGTERM."""
    told_to_stop, written = asyncio.Event(), Written()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    url = Settings().database
    print("writing", flush=True)
    async with asyncio.TaskGroup() as group:
        for each in range(count):
            name = f"chaos/{id(written):x}/{each}"
            group.create_task(write(name, url, told_to_stop=told_to_stop, written=written))
    return written


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(int(sys.argv[1]))))), flush=True)
