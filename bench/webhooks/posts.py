"""`python -m bench.webhooks.posts`: how many webhooks one process posts, and what the guard costs.

The floor is `httpx2` as it comes, posting the same bodies to the same sink in the same run. The sink is a process of
its own, so that the figures are the sender's.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from bench.webhooks.sink import Reply, Sink
from domain.targets import Answered
from rules.webhooks.targets import TargetPolicy
from security.targets import GuardedTargets
from security.webhook_signatures import new_secret, signed_headers

_BODY = b'{"type":"attempt.delivered","data":{"' + b"x" * 600 + b'":1}}'
_CLOSES = Reply(headers=(("connection", "close"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one way of posting came to."""

    name: str
    count: int
    seconds: float
    cpu_s: float

    def line(self) -> str:
        """Return the figures as one line of the report."""
        rate, cpu_ms = self.count / self.seconds, self.cpu_s / self.count * 1000
        return f"{self.name:<44} {rate:>8.0f} posts/s {cpu_ms:>7.2f} ms CPU each"


def main() -> None:
    """Measure, or be the sink that is posted to."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks.posts", description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        asyncio.run(_be_the_sink())
    else:
        asyncio.run(_measure_all(options.count, options.concurrency))


async def _be_the_sink() -> None:
    sink = Sink()
    sink.replies["/closes"] = _CLOSES
    await sink.up()
    print(sink.url, flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def _sink() -> AsyncIterator[str]:
    """Run the sink; yield its address."""
    command = (sys.executable, "-m", "bench.webhooks.posts", "--sink")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _measure_all(count: int, concurrency: int) -> None:
    targets, secret = GuardedTargets(policy=TargetPolicy(is_loopback_allowed=True)), new_secret()

    def signed() -> dict[str, str]:
        return signed_headers([secret], message_id="evt_1", timestamp=int(time.time()), body=_BODY)

    async with _sink() as url, httpx2.AsyncClient(trust_env=False) as client:

        async def bare(path: str) -> bool:
            return (await client.post(url + path, content=_BODY, headers=signed())).is_success

        async def guarded(path: str) -> bool:
            answer = await targets.post(url + path, body=_BODY, headers=signed())
            return isinstance(answer, Answered) and answer.is_success

        for path, kind in (("/", "connection kept"), ("/closes", "a connection for each")):
            for name, post in (("httpx2 alone", bare), ("guarded", guarded)):
                print((await _measure(f"{name}, {kind}", post, path, count, concurrency)).line(), flush=True)
    await targets.aclose()


async def _measure(
    name: str, post: Callable[[str], Awaitable[bool]], path: str, count: int, concurrency: int
) -> Figures:
    async def some(share: int) -> int:
        return sum([await post(path) for _ in range(share)])

    began, cpu = time.monotonic(), time.process_time()
    taken = sum(await asyncio.gather(*(some(count // concurrency) for _ in range(concurrency))))
    seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
    if taken != count // concurrency * concurrency:
        sys.exit(f"{name}: only {taken} of {count} were taken")
    return Figures(name=name, count=taken, seconds=seconds, cpu_s=cpu_s)


if __name__ == "__main__":
    main()
