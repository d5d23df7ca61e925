"""Temporal's test server, which skips time: it leads the drill's clock, and skips nothing while anything is under way.

The server's clock stands for nobody: it runs as ours does, and jumps to what is due next when no workflow task and no
activity, not even one that a silent carrier keeps waiting, is between two of its states.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from bench.outage.virtual import Clock
from runtime.temporal import ensure_search_attributes
from workflows.attributes import ALL

_SERVER = Path(sys.executable).with_name("temporal-test-server")


class SkippedTime(Interceptor):
    """The server's time, as seen by the drill; as an interceptor of workers, it has each activity begin by it."""

    def __init__(self, environment: WorkflowEnvironment, clock: Clock) -> None:
        self._environment, self._clock = environment, clock
        self._began_s = 0.0

    @property
    def address(self) -> str:
        """Return where the server listens."""
        return self._environment.client.service_client.config.target_host

    async def begin(self) -> None:
        """Have the drill's clock and the server's agree from now on."""
        self._began_s = await self._server_s() - self._clock.now_s

    async def pass_by(self, seconds: float) -> None:
        """Let time pass: skipped where nothing is under way, in full where something is."""
        await self._environment.sleep(timedelta(seconds=seconds))
        await self.follow()

    async def follow(self) -> None:
        """Move the drill's clock to the server's."""
        self._clock.move_to(await self._server_s() - self._began_s)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Have an activity, local ones too, begin by the server's time: its workflow may have been waiting for it."""
        return _OnTime(next, self)

    async def _server_s(self) -> float:
        return (await self._environment.get_current_time()).timestamp()


class _OnTime(ActivityInboundInterceptor):
    """Moves the clock before an activity begins."""

    def __init__(self, next_: ActivityInboundInterceptor, time: SkippedTime) -> None:
        super().__init__(next_)
        self._time = time

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        """Run the activity."""
        await self._time.follow()
        return await super().execute_activity(input)


@asynccontextmanager
async def skipped_time(clock: Clock, *, folder: Path) -> AsyncIterator[SkippedTime]:
    """Run a test server for as long as the block lasts; what it says, much of it at its end, goes to a file."""
    server = _saying_nothing(folder)
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(server)) as environment:
        await ensure_search_attributes(environment.client, [each.name for each in ALL])
        time = SkippedTime(environment, clock)
        await time.begin()
        yield time


def _saying_nothing(folder: Path) -> Path:
    program = folder / "temporal-test-server"
    program.write_text(f'#!/bin/sh\nexec "{_SERVER}" "$@" > "{folder}/temporal.log" 2>&1\n', encoding="utf-8")
    program.chmod(0o700)
    return program
