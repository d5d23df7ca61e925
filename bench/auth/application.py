"""The application over a SQLite file, called without a socket; beside `/v1/limits` the same route without a caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from api.app import create_app
from api.callers import ThisApp
from api.main import parts_of
from api.parts import Parts
from api.ways import Ways
from domain.oauth import TokenFormat
from domain.statuses import Environment
from runtime.key_settings import key_encryption
from runtime.logs import configure_logs
from runtime.settings import Settings
from runtime.temporal import connect
from security.api_keys import make_key
from security.keyring import KeyRing
from services.client_authentication import Proof
from services.installation_keys import InstallationKeys
from services.keys import open_keys
from services.number_workflows import NumberLeaseWorkflows
from services.oauth_clients import ClientRequest
from services.pool_judging import ByTheClock
from services.webhook_dispatchers import DispatcherWorkflows
from services.workflow_gateway import VerificationWorkflows
from store.engine import Database
from store.migrate import migrate


@dataclass(slots=True, kw_only=True)
class Front:
    """An application that is up, one key of it, a token of each format, and its keys' secret to make others with."""

    app: FastAPI
    key: str
    tokens: dict[str, str]
    keys: KeyRing
    database: Database

    def unknown_key(self) -> str:
        """Return a well-formed key with an id that nobody has."""
        return make_key(self.keys.api_keys, environment=Environment.SANDBOX).text

    def wrong_key(self) -> str:
        """Return a well-formed key with the id of ours and another secret."""
        return make_key(self.keys.api_keys, environment=Environment.SANDBOX, key_id=self.key[8:16]).text

    async def get(self, path: str, *, key: str | None) -> int:
        """Call a route as the server would, and return the status."""
        headers = [(b"host", b"x")]
        if key is not None:
            headers.append((b"authorization", f"Bearer {key}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        return statuses[0]


@asynccontextmanager
async def front(home: Path) -> AsyncIterator[Front]:
    """Open an application of its own, with one key that has no request rate."""
    configure_logs(as_json=True)
    settings = Settings(home=home, api_rate=0, failed_authentications_per_min=0)
    database = Database(settings.database)
    await migrate(database)
    keys = await open_keys(database, key_encryption(settings, may_make=True))
    key = await InstallationKeys(database=database, keys=keys).sandbox_key(account="Bench", requests_per_s=0)
    client = await connect(settings, keys=None)

    @asynccontextmanager
    async def open_parts() -> AsyncIterator[Parts]:
        async with httpx2.AsyncClient(trust_env=False) as http:
            yield parts_of(
                settings,
                keys=keys,
                database=database,
                ways=Ways(
                    workflows=VerificationWorkflows(client),
                    dispatchers=DispatcherWorkflows(client),
                    keepers=NumberLeaseWorkflows(client),
                    judges=ByTheClock(),
                ),
                http=http,
            )

    app = create_app(open_parts)

    @app.get("/bench/limits")
    async def limits_for_all(parts: ThisApp) -> Response:
        return JSONResponse(dict(parts.limits))

    async with app.router.lifespan_context(app):
        tokens = {each.value: await _token(app.state.parts, key, each) for each in TokenFormat}
        yield Front(app=app, key=key, tokens=tokens, keys=keys, database=database)
    await database.close()


async def _token(parts: Parts, key: str, token_format: TokenFormat) -> str:
    """Return an access token of a fresh client of the key's account."""
    caller = await parts.callers.who_calls(key, address=None)
    request = ClientRequest(environment=caller.environment, token_format=token_format)
    made = await parts.oauth.clients.make(caller.account_id, request, actor=caller.actor)
    proof = Proof(client_id=made.facts.client_id, secret=made.secret)
    client = await parts.oauth.authentication.who_asks(proof, address=None)
    return (await parts.oauth.tokens.issue(client, scope=None)).text
