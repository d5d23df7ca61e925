"""Real servers on real sockets: the sandbox, and a receiver for its receipts."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from carriers.protocol import Message
from carriers.sandbox import SandboxCarrier
from carriers.sandbox_control import SandboxControl
from domain.ids import attempt_id, new_id
from sandbox.server import build_server
from sandbox.settings import SandboxSettings

SECRET = "a secret of the tests"


class MovableClock:
    """Unix seconds that a test can move forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass(kw_only=True)
class Post:
    """One receipt as it arrived."""

    carrier: str
    body: bytes
    headers: dict[str, str]

    @property
    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass(kw_only=True)
class Receiver:
    """Takes receipts; answers the given statuses first, then 204."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        carrier = str(request.path_params["carrier"])
        self.posts.append(Post(carrier=carrier, body=await request.body(), headers=dict(request.headers)))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)

    def posts_about(self, message: Message) -> list[Post]:
        return [post for post in self.posts if post.said["reference"] == attempt_id(message.attempt_id)]


@dataclass(kw_only=True)
class RunningSandbox:
    """A sandbox that serves: where, from which file, by which clock."""

    url: str
    file: Path
    clock: MovableClock
    server: uvicorn.Server

    def carrier(self, client: httpx2.AsyncClient, *, name: str = "alpha", timeout_s: float = 3.0) -> SandboxCarrier:
        return SandboxCarrier(name=name, base_url=self.url, secret=SECRET, client=client, timeout_s=timeout_s)

    def control(self, client: httpx2.AsyncClient) -> SandboxControl:
        return SandboxControl(base_url=self.url, secret=SECRET, client=client)


@contextmanager
def serving(server: uvicorn.Server) -> Iterator[str]:
    """Serve in a thread, and yield the base URL."""
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
    assert not thread.is_alive()


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/receipts/{carrier}", receiver.take, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, access_log=False, log_level="warning", ws="none")
    with serving(uvicorn.Server(config)) as url:
        receiver.url = f"{url}/receipts"
        yield receiver


@contextmanager
def running_sandbox(file: Path, *, receipt_url: str) -> Iterator[RunningSandbox]:
    clock = MovableClock()
    settings = SandboxSettings(secret=SECRET, receipt_url=receipt_url)
    server = build_server(settings=settings, file=file, port=0, clock=clock)
    with serving(server) as url:
        yield RunningSandbox(url=url, file=file, clock=clock, server=server)


def a_message(*, to: str = "+447700900001", text: str = "Your code is 123456", account: UUID | None = None) -> Message:
    """Build a message with an attempt id of its own."""
    return Message(
        attempt_id=new_id(),
        account_id=account or new_id(),
        to=to,
        sender="Countersign",
        text=text,
        validity_s=300,
    )


async def in_the_ledger(message: Message, *, control: SandboxControl) -> None:
    """Wait until a carrier has received the message."""
    deadline = time.monotonic() + 5
    while attempt_id(message.attempt_id) not in {entry.attempt_id for entry in await control.ledger()}:
        assert time.monotonic() < deadline, "the message never arrived"
        await asyncio.sleep(0.005)


async def eventually(condition: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)
