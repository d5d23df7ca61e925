"""A program started by forking a process that has imported it already: what a short run does in place of `exec`.

Importing costs two seconds of a core per start, and a short run starts some forty processes. The fork is a process of
its own like any other, with its own id to be killed by; a long run starts the commands of `make run` themselves.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from cli.processes import Child
from runtime.settings import ROOT

_STOP_S = 12.0
_LOOK_EVERY_S = 0.02


class Forks:
    """The process that forks (`zygote.py`); everything that it forked is gone when the block ends."""

    def __init__(self) -> None:
        self._zygote: asyncio.subprocess.Process | None = None
        self._one_order = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._zygote = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.chaos.zygote"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zygote is not None and self._zygote.stdin is not None:
            self._zygote.stdin.close()
            await self._zygote.wait()

    async def fork(self, child: Child) -> psutil.Process:
        """Return the process that was forked to be a child; the first one waits for the imports."""
        assert self._zygote is not None and self._zygote.stdin and self._zygote.stdout  # noqa: S101, PT018 - in the block
        order = {"command": list(child.command), "environment": dict(child.environment), "log": str(child.log)}
        async with self._one_order:
            self._zygote.stdin.write(json.dumps(order).encode() + b"\n")
            answer = await self._zygote.stdout.readline()
        return psutil.Process(int(answer))


class Forked:
    """One program, with the command, environment and log of a `Child`."""

    def __init__(self, child: Child, forks: Forks) -> None:
        self._child = child
        self._forks = forks
        self._process: psutil.Process | None = None

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
        return self._process.pid if self._process is not None and self._process.is_running() else None

    async def start(self) -> None:
        """Start it."""
        self.log.touch()
        self._process = await self._forks.fork(self._child)

    async def wait(self) -> None:
        """Wait for its end."""
        # ASYNC110 asks for an event, and the end of somebody else's child gives none.
        while self.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)

    async def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if (pid := self.pid) is not None:
                os.kill(pid, number)
            try:
                await asyncio.wait_for(self.wait(), timeout=_STOP_S)
            except TimeoutError:
                continue
            return

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return self._child.last_words(lines)
