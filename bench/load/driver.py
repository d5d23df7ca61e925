"""The generator process as the bench uses it: hand over requests, get back what became of them."""

import asyncio
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from runtime.settings import ROOT

# Nothing that is measured here takes longer unless it hangs.
_LIMIT_S = 150.0
_LONGEST_LINE = 256 * 1024 * 1024

Request = tuple[str, str]


class LoadFailedError(RuntimeError):
    """The load could not be put on, or was not answered as it should; the sentence says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What became of one burst of requests: latencies and bodies of those answered as hoped, the others counted."""

    wall_s: float
    cpu_s: float
    latencies_ms: list[float] = field(repr=False)
    bodies: list[Any] = field(repr=False)
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A server to put load on."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Generator:
    """Use as `async with Generator() as generator:`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.load.generator"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def burst(
        self,
        target: Target,
        requests: Sequence[Request],
        *,
        concurrency: int,
        status: int,
        refusal: int | None = None,
        pause_s: float = 0.0,
    ) -> Burst:
        """Send every request, `concurrency` at a time, and return what became of them.

        Raises:
            LoadFailedError: a connection broke, time ran out, an answer had another status, or all were refused.

        """
        job = {
            "port": target.port,
            "headers": dict(target.headers),
            "concurrency": concurrency,
            "requests": requests,
            "pause_s": pause_s,
            "limit_s": _LIMIT_S,
        }
        result = await self._ask(job)
        if "failed" in result:
            raise LoadFailedError(f"The generator stopped: {result['failed']}")
        good = [at for at, each in enumerate(result["statuses"]) if each == status]
        odd = [at for at, each in enumerate(result["statuses"]) if each not in {status, refusal}]
        if odd or not good:
            first = odd[0] if odd else 0
            raise LoadFailedError(
                f"{len(requests) - len(good)} of {len(requests)} not answered {status}; first, {requests[first][0]}: "
                f"{result['statuses'][first]} {result['bodies'][first][:300]}"
            )
        return Burst(
            wall_s=result["wall_s"],
            cpu_s=result["cpu_s"],
            latencies_ms=[result["latencies_ms"][at] for at in good],
            bodies=[json.loads(result["bodies"][at]) for at in good],
            refused=len(requests) - len(good),
        )

    async def _ask(self, job: Mapping[str, Any]) -> Any:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise LoadFailedError("The generator was not started.")
        process.stdin.write(json.dumps(job).encode() + b"\n")
        await process.stdin.drain()
        line = await asyncio.wait_for(process.stdout.readline(), timeout=_LIMIT_S + 30)
        if not line:
            raise LoadFailedError("The generator ended without an answer.")
        return json.loads(line)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of a sample; of a single value, that value."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
