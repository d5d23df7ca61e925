"""A token ended on one API process, or its client, stops on another within a second; a jti passes once on both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

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

GRANT = "client_credentials"


async def two(stack: AsyncExitStack, home: Path, database_url: str) -> tuple[httpx2.AsyncClient, httpx2.AsyncClient]:
    """Return two processes that share a database, and know of each other nothing else."""
    first, second = [
        await stack.enter_async_context(
            api_process(home, database_url=database_url, COUNTERSIGN_PUBLIC_ORIGIN=ISSUER, COUNTERSIGN_API_RATE="0")
        )
        for _ in range(2)
    ]
    return first, second


async def stops(on: httpx2.AsyncClient, token: str) -> None:
    """Wait until a process refuses a token, within a second from now by its last answer."""
    ended_at = asked_at = time.monotonic()
    while (await on.get("/v1/me", headers=bearer(token))).status_code == 200:
        assert asked_at - ended_at <= 1.0
        asked_at = time.monotonic()


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_what_is_ended_on_one_process_stops_on_another_within_a_second(
    own_database: Database, own_url: str, tmp_path: Path, token_format: str
) -> None:
    admin, _ = await a_key(own_database)
    async with AsyncExitStack() as stack:
        one, other = await two(stack, tmp_path, own_url)

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
    own_database: Database, own_url: str, tmp_path: Path
) -> None:
    pair = a_pair()
    admin, _ = await a_key(own_database)
    async with AsyncExitStack() as stack:
        both = await two(stack, tmp_path, own_url)
        made = (await both[0].post("/v1/clients", json={"jwks": jwks_of(pair)}, headers=bearer(admin))).json()
        assertion = signed(pair, claims_of(made["id"], aud=TOKEN_ENDPOINT))
        form: dict[str, Any] = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}

        answers = await asyncio.gather(*(ask(both[each % 2], grant_type=GRANT, **form) for each in range(20)))

    taken = [each for each in answers if each.status_code == 200]
    assert len(taken) == 1
    # After five wrong ones a process asks the address to wait.
    assert {each.status_code for each in answers} - {200} <= {401, 429}
