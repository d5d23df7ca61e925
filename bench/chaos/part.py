"""One process of an installation that a drill may kill, pause and start again, by its process id and no other way."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from cli.processes import Child
from cli.waiting import until

_READY_S = 60.0


class PartFailedError(RuntimeError):
    """A process ended by itself while it was awaited; the sentence holds the end of its log."""


class Program(Protocol):
    """A program that can be started and waited for, however it is started."""

    @property
    def name(self) -> str:
        """Return its name in logs."""
        ...

    @property
    def log(self) -> Path:
        """Return where it writes."""
        ...

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        ...

    async def start(self) -> None:
        """Start it."""
        ...

    async def wait(self) -> None:
        """Wait for its end."""
        ...

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        ...

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        ...


class Command:
    """A `Child` of the launcher that can be waited for."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.name, self.log = child.name, child.log
        self.start, self.stop, self.last_words = child.start, child.stop, child.last_words

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return self._child.pid

    async def wait(self) -> None:
        """Wait for its end."""
        if self._child.process is not None:
            await self._child.process.wait()


class Part:
    """A process; `answers` says whether it does its work, if need be from what it wrote since it was started."""

    def __init__(self, program: Program, *, answers: Callable[[str], Awaitable[bool]]) -> None:
        self._program = program
        self._answers = answers
        self._log_from = 0

    @property
    def name(self) -> str:
        """Return its name in logs."""
        return self._program.name

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return self._program.pid

    @property
    def is_running(self) -> bool:
        """Say whether the process is there."""
        return self._program.pid is not None

    async def launch(self) -> None:
        """Start it, without waiting until it answers."""
        self._log_from = self._program.log.stat().st_size if self._program.log.exists() else 0
        await self._program.start()

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
        await self._program.wait()

    async def stop(self) -> None:
        """Ask it to end, in order; one that is paused could not hear it."""
        self._signal(signal.SIGCONT)
        await self._program.stop()

    def pause(self) -> None:
        """Have it stand still with its connections open, as a machine that has no breath left."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._program.pid is not None:
            os.kill(self._program.pid, number)

    async def _is_ready(self) -> bool:
        if self._program.pid is None:
            raise PartFailedError(f"{self.name} has ended:\n{self._program.last_words()}")
        return await self._answers(self._program.log.read_text(errors="replace")[self._log_from :])
