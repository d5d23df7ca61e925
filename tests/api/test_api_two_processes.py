"""What is ended on one API process, a key, token or client, stops on another within a second; a jti passes once."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from bench.postgres import Cluster
from store.engine import Database
from tests.api.api_processes import api_process
from tests.api.oauth_clients import (
    ISSUER,
    JWT_BEARER,
    TOKEN_ENDPOINT,
    a_pair,
    ask,
    bearer,
    claims_of,
    jwks_of,
    signed,
)
from tests.building import a_key
from tests.databases import migrated_postgres, migrated_sqlite

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRANT = "client_credentials"
_hosts = itertools.count(1)
Both = tuple[httpx2.AsyncClient, httpx2.AsyncClient]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield migrated_sqlite(tmp_path_factory.mktemp("shared") / "countersign.db")
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with migrated_postgres(cluster) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_url: str) -> AsyncIterator[Database]:
    database = Database(shared_url)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(shared: Database, shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    told = {
        "COUNTERSIGN_PUBLIC_ORIGIN": ISSUER,
        "COUNTERSIGN_API_RATE": "0",
        "COUNTERSIGN_TRUSTED_PROXIES": "127.0.0.1",
    }
    # What has accounts before it has keys gets those that tests know, and not new ones.
    await a_key(shared)
    async with AsyncExitStack() as stack:
        home = tmp_path_factory.mktemp("processes")
        opening = (stack.enter_async_context(api_process(home, database_url=shared_url, **told)) for _ in range(2))
        first, second = [await each for each in opening]
        yield first, second


@pytest.fixture
def both(processes: Both) -> Both:
    """Return clients of two processes that share a database, and know of each other nothing else.

    Each test asks from an address of its own: what was refused to another one is not held against it.
    """
    for each in processes:
        each.headers["X-Forwarded-For"] = f"203.0.113.{next(_hosts)}"
    return processes


async def stops(on: httpx2.AsyncClient, credential: str) -> None:
    """Wait until a process refuses a key or a token, within a second from now by its last answer."""
    ended_at = asked_at = time.monotonic()
    while (await on.get("/v1/me", headers=bearer(credential))).status_code == 200:
        assert asked_at - ended_at <= 1.0
        asked_at = time.monotonic()


async def test_a_key_revoked_on_one_process_stops_on_another_within_a_second(shared: Database, both: Both) -> None:
    one, other = both
    admin, of = await a_key(shared)
    for _ in range(3):
        victim, _ = await a_key(shared, of=of)
        assert (await other.get("/v1/me", headers=bearer(victim))).status_code == 200
        revoked = await one.post(f"/v1/keys/{victim[8:16]}/revoke", headers=bearer(admin))
        assert revoked.status_code == 200
        await stops(other, victim)
        assert (await one.get("/v1/me", headers=bearer(victim))).status_code == 401


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_what_is_ended_on_one_process_stops_on_another_within_a_second(
    shared: Database, both: Both, token_format: str
) -> None:
    one, other = both
    admin, _ = await a_key(shared)

    async def client() -> dict[str, Any]:
        made = await one.post("/v1/clients", json={"token_format": token_format}, headers=bearer(admin))
        told: dict[str, Any] = made.json()
        return told

    async def token_of(made: dict[str, Any]) -> str:
        given = await ask(one, basic=(made["id"], made["secret"]), grant_type=GRANT)
        token = str(given.json()["access_token"])
        assert (await other.get("/v1/me", headers=bearer(token))).status_code == 200
        return token

    async def end_token(made: dict[str, Any], token: str) -> httpx2.Response:
        return await ask(one, path="/oauth2/revoke", basic=(made["id"], made["secret"]), token=token)

    async def end_client(made: dict[str, Any], _: str) -> httpx2.Response:
        return await one.delete(f"/v1/clients/{made['id']}", headers=bearer(admin))

    ends: tuple[Callable[[dict[str, Any], str], Awaitable[httpx2.Response]], ...] = (end_token, end_client)
    for end in ends:
        for _ in range(2):
            made = await client()
            token = await token_of(made)
            assert (await end(made, token)).status_code == 200
            await stops(other, token)
            assert (await one.get("/v1/me", headers=bearer(token))).status_code == 401


async def test_an_assertion_sent_twenty_times_to_two_processes_at_once_is_taken_once(
    shared: Database, both: Both
) -> None:
    pair = a_pair()
    admin, _ = await a_key(shared)
    made = (await both[0].post("/v1/clients", json={"jwks": jwks_of(pair)}, headers=bearer(admin))).json()
    assertion = signed(pair, claims_of(made["id"], aud=TOKEN_ENDPOINT))
    form: dict[str, Any] = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}

    answers = await asyncio.gather(*(ask(both[each % 2], grant_type=GRANT, **form) for each in range(20)))

    taken = [each for each in answers if each.status_code == 200]
    assert len(taken) == 1
    # After five wrong ones a process asks the address to wait.
    assert {each.status_code for each in answers} - {200} <= {401, 429}
