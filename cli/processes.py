"""The processes of one installation on a laptop: started together, kept alive, stopped together; no others touched."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STOP_S = 12.0
_RESTART_AFTER_S = 0.3
# A process that dies so often, each time within moments of its start, will not get better by being started again.
_QUICK_DEATHS, _QUICK_S = 10, 2.0
_PR_SET_PDEATHSIG = 1


class ProcessesFailedError(RuntimeError):
    """A process does not stay up; the sentence says which and where its log is."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One program to be kept running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C in the terminal is for the parent to hand on, in order."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def stop(self) -> None:
        """Ask it to end, wait while it finishes what it has, and end it if it does not."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), timeout=_STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return None if self.process is None or self.process.returncode is not None else self.process.pid

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Processes:
    """Keeps children alive; a dead one is started again, and whoever asked is told."""

    def __init__(self, *, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def add(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        await child.start()
        self._children.append(child)
        self._keepers.append(asyncio.create_task(self._keep(child)))

    def pids(self) -> dict[str, int]:
        """Return the process ids of those that run, by name."""
        return {child.name: child.pid for child in self._children if child.pid is not None}

    async def until_one_fails(self) -> None:
        """Wait for ever, or until a child cannot be kept alive; raise `ProcessesFailedError` then."""
        await asyncio.gather(*self._keepers)

    async def stop(self) -> None:
        """Stop all, the last started first, each after it has finished what it had."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in reversed(self._children):
            await child.stop()

    async def _keep(self, child: Child) -> None:
        quick_deaths = 0
        while child.process is not None:
            started = time.monotonic()
            await child.process.wait()
            quick_deaths = quick_deaths + 1 if time.monotonic() - started < _QUICK_S else 0
            if quick_deaths >= _QUICK_DEATHS:
                raise ProcessesFailedError(f"{child.name} does not stay up; see {child.log}:\n{child.last_words()}")
            await asyncio.sleep(_RESTART_AFTER_S)
            await child.start()
            self._on_change()


def _die_with_parent() -> None:
    """Ask the kernel to end this child when its parent dies without a word (kill -9), so that no port stays taken."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(1)
