"""The load generator, a process of its own: closed-loop HTTP/1.1 by hand, so that it costs little of what it measures.

One job per line of standard input, one result per line of standard output, both JSON. Requests are made and answers are
read apart from the clock: while it runs, a connection only writes bytes, finds the end of the answer and goes on.
Product code never gets in here.
"""

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

_END_OF_HEADERS = b"\r\n\r\n"
_LENGTH = b"content-length: "


class GeneratorError(RuntimeError):
    """A connection broke; the measurement is void."""


class _Run:
    """The requests of one job, handed out one by one, and what became of each."""

    def __init__(self, requests: list[bytes], *, pause_s: float) -> None:
        self.requests = requests
        self.pause_s = pause_s
        self.latencies_ms = [0.0] * len(requests)
        self.answers = [b""] * len(requests)
        self.next = 0
        self.open = len(requests)
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, why: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(GeneratorError(why))


class _Connection(asyncio.Protocol):
    """One user: sends a request, waits for its answer, sends the next."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._index = 0
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.fail(f"a connection was closed: {exc or 'by the server'}")

    def go_on(self) -> None:
        """Send the next request, if there is one."""
        run, transport = self._run, self._transport
        if run.next < len(run.requests) and transport is not None:
            self._index = run.next
            run.next += 1
            self._sent_at = time.perf_counter()
            transport.write(run.requests[self._index])

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(_END_OF_HEADERS)
        if head < 0 or len(self._buffer) < head + len(_END_OF_HEADERS) + _length(self._buffer, head):
            return
        run = self._run
        run.latencies_ms[self._index] = (time.perf_counter() - self._sent_at) * 1000
        run.answers[self._index] = self._buffer
        self._buffer = b""
        run.open -= 1
        if run.open == 0 and not run.finished.done():
            run.finished.set_result(None)
        if run.pause_s:
            asyncio.get_running_loop().call_later(run.pause_s, self.go_on)
        else:
            self.go_on()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _length(answer: bytes, head: int) -> int:
    """Return the declared length of the body; every answer of the servers measured here declares one."""
    start = answer.lower().find(_LENGTH, 0, head)
    if start < 0:
        raise GeneratorError("an answer without content-length")
    return int(answer[start + len(_LENGTH) : answer.index(b"\r\n", start)])


async def _perform(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job: `concurrency` users, who pause after each answer, share `requests`: path and body, all POST."""
    head = "".join(f"{name}: {value}\r\n" for name, value in job["headers"].items())
    requests = [
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{head}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        for path, body in job["requests"]
    ]
    loop, run = asyncio.get_running_loop(), _Run(requests, pause_s=job["pause_s"])
    users: list[_Connection] = []
    for _ in range(min(job["concurrency"], len(requests))):
        _, user = await loop.create_connection(lambda: _Connection(run), "127.0.0.1", job["port"])
        users.append(user)
    cpu, started = time.process_time(), time.perf_counter()
    for user in users:
        user.go_on()
    try:
        await asyncio.wait_for(run.finished, timeout=job["limit_s"])
    finally:
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        for user in users:
            user.close()
    statuses = [int(answer[9:12]) for answer in run.answers]
    bodies = [answer.partition(_END_OF_HEADERS)[2].decode() for answer in run.answers]
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "latencies_ms": run.latencies_ms,
        "statuses": statuses,
        "bodies": bodies,
    }


def main() -> None:
    """Do the jobs that come, until there are no more."""
    for line in sys.stdin:
        try:
            result = uvloop.run(_perform(json.loads(line)))
        except (OSError, TimeoutError, GeneratorError) as error:
            result = {"failed": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
