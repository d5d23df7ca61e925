"""One process of an installation that a drill may kill, pause and start again, by its process id and no other way."""

import os
import signal
from collections.abc import Awaitable, Callable

from cli.processes import Child
from cli.waiting import until

_READY_S = 60.0


class PartFailedError(RuntimeError):
    """A process ended by itself while it was awaited; the sentence holds the end of its log."""


class Part:
    """A process; `answers` says whether it does its work, if need be from what it wrote since it was started."""

    def __init__(self, child: Child, *, answers: Callable[[str], Awaitable[bool]]) -> None:
        self._child = child
        self._answers = answers
        self._log_from = 0

    @property
    def name(self) -> str:
        """Return its name in logs."""
        return self._child.name

    @property
    def is_running(self) -> bool:
        """Say whether the process is there."""
        return self._child.pid is not None

    async def launch(self) -> None:
        """Start it, without waiting until it answers."""
        self._log_from = self._child.log.stat().st_size if self._child.log.exists() else 0
        await self._child.start()

    async def ready(self) -> None:
        """Wait until it answers; raise `PartFailedError` when it has ended instead."""
        await until(self._is_ready, what=self.name, within_s=_READY_S)

    async def start(self) -> None:
        """Start it and wait until it answers."""
        await self.launch()
        await self.ready()

    async def kill(self) -> None:
        """End it as a crash would: `kill -9`."""
        self._signal(signal.SIGKILL)
        if self._child.process is not None:
            await self._child.process.wait()

    async def stop(self) -> None:
        """Ask it to end, in order; one that is paused could not hear it."""
        self._signal(signal.SIGCONT)
        await self._child.stop()

    def pause(self) -> None:
        """Have it stand still with its connections open, as a machine that has no breath left."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._child.pid is not None:
            os.kill(self._child.pid, number)

    async def _is_ready(self) -> bool:
        if self._child.pid is None:
            raise PartFailedError(f"{self.name} has ended:\n{self._child.last_words()}")
        return await self._answers(self._child.log.read_text(errors="replace")[self._log_from :])
