"""The sandbox as an ASGI app: the endpoints, the door in front, and the two tasks that run beside them."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.database import Clock
from sandbox.door import Door
from sandbox.number_routes import NumberEndpoints
from sandbox.postman import Postman
from sandbox.refusals import RefusedError, answer_refused, refusal
from sandbox.routes import Endpoints
from sandbox.settings import SandboxSettings
from sandbox.world import World

FORGET_EVERY_S = 60.0


class Sandbox:
    """The app's life: its tasks start with it, and the file is closed when it ends."""

    def __init__(self, *, world: World, settings: SandboxSettings, clock: Clock) -> None:
        self._world = world
        self._settings = settings
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Run the postman and the forgetting for as long as the app serves."""
        # Receipts go to a loopback address: a proxy of the environment must not see them.
        async with httpx2.AsyncClient(trust_env=False) as client:
            postman = Postman(queue=self._world.receipts, settings=self._settings, client=client, clock=self._clock)
            self._tasks = [asyncio.create_task(postman.run()), asyncio.create_task(self._forget_forever())]
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
        self._world.close()

    async def livez(self, _request: Request) -> Response:
        """Answer whether the process does its work: a sandbox whose postman died must not look well."""
        if any(task.done() for task in self._tasks):
            return refusal(status=503, code="task_ended", detail="A background task has ended; restart it.")
        return JSONResponse({"status": "ok"})

    async def _forget_forever(self) -> None:
        while True:
            self._world.forget()
            await asyncio.sleep(FORGET_EVERY_S)


def create_app(
    *,
    connection: sqlite3.Connection,
    settings: SandboxSettings,
    is_stopping: Callable[[], bool],
    clock: Clock = time.time,
) -> Starlette:
    """Return the app over an open file, which it closes at its end.

    Args:
        connection: from `open_database`.
        settings: the secret, the receiver of receipts, the carriers.
        is_stopping: whether the server wants to stop; a carrier that hangs looks at it, and lets go.
        clock: Unix seconds.
    """
    world = World(connection=connection, carriers=settings.carriers, clock=clock)
    sandbox = Sandbox(world=world, settings=settings, clock=clock)
    endpoints = Endpoints(world=world, settings=settings, is_stopping=is_stopping)
    numbers = NumberEndpoints(world=world, settings=settings)
    app = Starlette(
        routes=[*endpoints.routes(), *numbers.routes(), Route("/livez", sandbox.livez, methods=["GET"])],
        middleware=[Middleware(Door, secret=settings.secret)],
        exception_handlers={RefusedError: answer_refused},
        lifespan=sandbox.lifespan,
    )
    app.router.redirect_slashes = False
    return app
