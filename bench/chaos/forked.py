"""A program started by forking a process that has imported it already: what a short run does in place of `exec`.

Importing costs two seconds of a core per start, and a short run starts some forty processes. The fork is a process of
its own like any other, with its own id to be killed by; a long run starts the commands of `make run` themselves.
"""

import asyncio
import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from cli.processes import Child

_PRELOADED = ["worker", "api.main", "uvicorn.main", "uvicorn.protocols.http.auto", "sandbox.main", "time_machine"]
_STOP_S = 12.0
_PR_SET_PDEATHSIG = 1
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


class Forked:
    """One program, with the command, environment and log of a `Child`."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._process: ForkServerProcess | None = None

    @property
    def name(self) -> str:
        """Return its name in logs."""
        return self._child.name

    @property
    def log(self) -> Path:
        """Return where it writes."""
        return self._child.log

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    async def start(self) -> None:
        """Start it; the first start of all waits for the imports."""
        made = _context.Process(
            target=_become,
            args=(list(self._child.command), dict(self._child.environment), str(self._child.log)),
            name=self.name,
            daemon=True,
        )
        self.log.touch()
        await asyncio.to_thread(made.start)
        self._process = made

    async def wait(self) -> None:
        """Wait for its end."""
        if self._process is not None:
            await asyncio.to_thread(self._process.join)

    async def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.join, _STOP_S)
            self._process.kill()
            await self.wait()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return self._child.last_words(lines)


def _become(command: Sequence[str], environment: Mapping[str, str], log: str) -> None:
    """Be the program, in the process that was forked for it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.clear()
    os.environ.update(environment)
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    match command[1:]:
        case ["-m", module, *arguments]:
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *arguments]:
            sys.argv = [script, *arguments]
            runpy.run_path(script, run_name="__main__")
