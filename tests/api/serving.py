"""The real application on a real socket and a real SQLite file, with a fake where Temporal is.

Every answer passes the gate on its way to a test: its status is declared in the OpenAPI document for its route, and a
refusal is a problem document with a documented code.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from api.app import create_app
from api.main import parts_of
from api.parts import Parts
from api.problems import MEDIA_TYPE
from api.server import config_of
from api.tls import Certificate
from api.ways import Ways
from domain.errors import DomainError
from domain.facts import Caller
from runtime.logs import configure_logs
from store.engine import Database
from tests.building import (
    KEYS,
    FakeDispatchers,
    FakeJudges,
    FakeKeepers,
    FakeWorkflows,
    Outbox,
    a_key,
    delivery_to,
    settings,
)
from tests.databases import migrated_sqlite
from tests.sandbox.serving import serving

CODES = {each.code: each for each in DomainError.__subclasses__()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An application that serves: where, over which database, and what stands in Temporal's and the carriers' place."""

    url: str
    database_url: str
    workflows: FakeWorkflows
    outbox: Outbox
    openapi: dict[str, Any]
    drain: Callable[[], object]

    def gate(self, method: str, path: str, *, status: int, media_type: str, body: Any) -> None:
        """Fail on an answer that the OpenAPI document does not promise, or a refusal that is no problem document."""
        declared = self._declared(method, path)
        assert declared is None or str(status) in declared, f"{method} {path} answered {status}, not declared"
        if declared is None:
            assert status in {200, 404, 405, 413, 415}, f"{method} {path} answered {status} on no route"
        if path.startswith("/v1") and status >= 400:
            assert media_type == MEDIA_TYPE, f"{method} {path} refused as {media_type}"
            kind = CODES[body["code"]]
            assert (body["status"], status) == (kind.status, kind.status)
            assert body["type"] == f"/docs/problems#{kind.code}"
            assert body["title"] == kind.title
            assert body["detail"]

    def _declared(self, method: str, path: str) -> set[str] | None:
        # The most literal path first: /unlock before /{verification_id}.
        for template in sorted(self.openapi["paths"], key=lambda each: each.count("{")):
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                operation = self.openapi["paths"][template].get(method.lower())
                return None if operation is None else set(operation["responses"])
        return None


@dataclass(slots=True, kw_only=True)
class Api:
    """One account's way into a server: an HTTP client with its key, and the database beside it."""

    server: Server
    client: httpx2.AsyncClient
    database: Database
    caller: Caller
    key: str

    async def start(self, **body: Any) -> httpx2.Response:
        """Start a verification."""
        return await self.client.post("/v1/verifications", json=body)

    async def check(self, verification: str, code: str) -> httpx2.Response:
        """Check a code."""
        return await self.client.post(f"/v1/verifications/{verification}/checks", json={"code": code})

    async def count(self) -> int:
        """Return how many verifications the account has."""
        answer = await self.client.get("/v1/verifications", params={"limit": 100})
        return len(answer.json()["verifications"])


@contextmanager
def running_api(
    home: Path,
    *,
    workflows: FakeWorkflows | None = None,
    connections: int = 1_000,
    certificate: Certificate | None = None,
    **changes: Any,
) -> Iterator[Server]:
    """Serve; what is started is sent at once unless other workflows are given."""
    url, outbox = migrated_sqlite(home / "countersign.db"), Outbox(name="outbox")
    told, drain = workflows or FakeWorkflows(), list[Callable[[], object]]()

    @asynccontextmanager
    async def open_parts() -> AsyncIterator[Parts]:
        database = Database(url)
        if workflows is None:
            told.delivery = delivery_to(outbox, database=database)
        async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
            parts = parts_of(
                settings(home, **{"failed_authentications_per_min": 0, **changes}),
                keys=KEYS,
                database=database,
                ways=Ways(
                    workflows=told,
                    dispatchers=FakeDispatchers(),
                    keepers=FakeKeepers(),
                    judges=FakeJudges(),
                ),
                http=http,
            )
            drain.append(partial(asyncio.get_running_loop().call_soon_threadsafe, parts.draining.begun.set))
            yield parts
        await database.close()

    # As in production; without it a traceback is drawn with every local variable, which takes seconds.
    configure_logs(as_json=True)
    app = create_app(open_parts, temporal_ui_origin=settings(home, **changes).temporal_ui_origin)
    config = config_of(app, host="127.0.0.1", port=0, connections=connections, certificate=certificate)
    with serving(uvicorn.Server(config)) as base:
        yield Server(url=base, database_url=url, workflows=told, outbox=outbox, openapi=app.openapi(), drain=drain[0])


@asynccontextmanager
async def calling(server: Server, **key: Any) -> AsyncIterator[Api]:
    """Call a server as a fresh account."""
    database = Database(server.database_url)
    text, caller = await a_key(database, **key)
    async with opened(server, headers={"Authorization": f"Bearer {text}"}) as client:
        yield Api(server=server, client=client, database=database, caller=caller, key=text)
    await database.close()


@asynccontextmanager
async def opened(server: Server, *, headers: dict[str, str] | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a client whose answers pass the gate."""

    async def pass_the_gate(response: httpx2.Response) -> None:
        await response.aread()
        media_type = response.headers.get("content-type", "").partition(";")[0]
        body = response.json() if media_type == MEDIA_TYPE else None
        method, path = response.request.method, response.request.url.path
        server.gate(method, path, status=response.status_code, media_type=media_type, body=body)

    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(
        base_url=server.url,
        headers=headers,
        trust_env=False,
        verify=False,
        timeout=20,
        limits=limits,
        event_hooks={"response": [pass_the_gate]},
    ) as client:
        yield client
