"""Having pools judged at once: whoever brings news asks, and all who ask in one moment make one judgement.

Nobody waits for it, and nothing on a message's way asks. The Schedule comes by itself every few seconds, so a word that
gets lost costs no more than that.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.service import RPCError

from domain.errors import TemporalUnavailableError
from services.workflow_gateway import PATIENCE_S, in_time
from workflows.pool_health import SCHEDULE_ID

# A process asks for one judgement in this time at most; what becomes known meanwhile is for the next one.
_EVERY_S = 1.0


class PoolJudges(Protocol):
    """What use cases need of the way to the judgement of pools."""

    def ask(self) -> None:
        """Have the pools judged soon, without waiting for it."""
        ...


class ByTheClock:
    """Leaves it to the Schedule."""

    def ask(self) -> None:
        """Do nothing; the Schedule comes by itself."""


class ScheduledJudges:
    """Triggers the Schedule that judges pools."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asking: set[asyncio.Task[None]] = set()
        self._is_asked = False
        self._not_before = 0.0

    def ask(self) -> None:
        """Have the pools judged soon, without waiting for it."""
        if self._is_asked:
            return
        self._is_asked = True
        task = asyncio.create_task(self._ask(), name="asking for a judgement of pools")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def aclose(self) -> None:
        """Ask no more; the Schedule comes by itself."""
        asking = tuple(self._asking)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._not_before - clock())
        # What becomes known from here on is for the next judgement.
        self._is_asked, self._not_before = False, clock() + _EVERY_S
        handle = self._client.get_schedule_handle(SCHEDULE_ID)
        # One that is under way has looked already: another follows it, and never two.
        asked = handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE, rpc_timeout=timedelta(seconds=PATIENCE_S))
        # No worker has made the Schedule yet, or Temporal is away: then it is judged when there is one again.
        with suppress(TemporalUnavailableError, RPCError):
            await in_time(asked)
