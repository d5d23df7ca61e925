"""Who may call, and how often."""

import asyncio
import time
from collections import Counter

import pytest
from sqlalchemy import update

from domain.statuses import Environment
from security.api_keys import make_key
from store import access_version
from store.tables import ApiKey, table_of
from store.times import now
from tests.api.operations import every_operation
from tests.api.serving import Api, calling, opened
from tests.building import KEYS

# Routes of /v1 that ask nobody who they are.
PUBLIC = {"report_leaked_key", "read_key_pattern", "accept_invitation", "enrol_operator", "sign_in"}


async def test_no_route_of_v1_answers_without_a_key_unless_it_is_public(api: Api) -> None:
    asked = [each for each in every_operation(api.server.openapi) if each.path.startswith("/v1")]

    async with opened(api.server) as stranger:
        answers = {each.id: await stranger.request(each.method, each.path) for each in asked}

    refused = {name: answer for name, answer in answers.items() if name not in PUBLIC}
    assert len(refused) >= 17
    assert {(each.status_code, each.json()["code"]) for each in refused.values()} == {(401, "unauthenticated")}
    # Nothing was wrong with a credential: there was none (RFC 6750, section 3.1).
    assert {each.headers["www-authenticate"] for each in refused.values()} == {'Bearer realm="countersign"'}
    assert not [name for name, answer in answers.items() if name in PUBLIC and answer.status_code == 401]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer cs_test_" + "0" * 46,
        "Bearer cs_live_" + "0" * 46,
        "Basic Y3NfdGVzdDo=",
        "Digest x",
        "x",
        "Bearer " + "x" * 8_000,
        "Bearer cs_test_\u00e9",
    ],
)
async def test_a_header_that_holds_no_key_of_ours_is_refused(api: Api, header: str) -> None:
    async with opened(api.server) as stranger:
        answer = await stranger.get("/v1/limits", headers=[(b"Authorization", header.strip().encode("latin-1"))])

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert "error" not in answer.headers["www-authenticate"] or len(header.split()) == 2


async def test_a_credential_that_is_not_ours_is_called_invalid(api: Api) -> None:
    async with opened(api.server, headers={"Authorization": "Bearer cs_test_" + "0" * 46}) as stranger:
        answer = await stranger.get("/v1/limits")

    assert answer.headers["www-authenticate"] == 'Bearer realm="countersign", error="invalid_token"'


async def test_a_key_elsewhere_than_in_the_header_is_not_seen(api: Api) -> None:
    async with opened(api.server) as stranger:
        answer = await stranger.get("/v1/limits", params={"api_key": api.key}, headers={"X-API-Key": api.key})

    assert answer.status_code == 401


async def test_a_key_with_one_letter_changed_is_refused(api: Api) -> None:
    changed = api.key[:20] + ("a" if api.key[20] != "a" else "b") + api.key[21:]
    async with opened(api.server, headers={"Authorization": f"Bearer {changed}"}) as stranger:
        answer = await stranger.get("/v1/limits")

    assert answer.status_code == 401


async def test_a_well_formed_key_that_was_never_given_out_is_refused(api: Api) -> None:
    unknown = make_key(KEYS.api_keys, environment=Environment.SANDBOX).text
    async with opened(api.server, headers={"Authorization": f"Bearer {unknown}"}) as stranger:
        answer = await stranger.get("/v1/limits")

    assert answer.status_code == 401


async def test_a_revoked_key_stops_within_a_second(api: Api) -> None:
    assert (await api.client.get("/v1/limits")).status_code == 200
    table = table_of(ApiKey)
    async with api.database.transaction() as connection:
        await connection.execute(
            update(table).where(table.c.account_id == api.caller.account_id).values(revoked_at=now())
        )
        await access_version.bump(connection)
    revoked_at = asked_at = time.monotonic()

    while (answer := await api.client.get("/v1/limits")).status_code == 200:
        assert asked_at - revoked_at <= 1.0
        asked_at = time.monotonic()

    assert answer.status_code == 401


async def test_a_key_makes_twenty_requests_at_once_and_no_more(api: Api) -> None:
    async with calling(api.server, requests_per_s=None) as limited:
        answers = await asyncio.gather(*(limited.client.get("/v1/limits") for _ in range(30)))

    refused = [each for each in answers if each.status_code == 429]
    assert Counter(each.status_code for each in answers) == {200: 20, 429: 10}
    assert {each.json()["code"] for each in refused} == {"rate-limited"}
    assert {each.headers["retry-after"] for each in refused} <= {"1", "2"}


async def test_a_key_s_own_rate_goes_before_the_default(api: Api) -> None:
    async with calling(api.server, requests_per_s=2) as slow:
        answers = await asyncio.gather(*(slow.client.get("/v1/limits") for _ in range(10)))

    assert Counter(each.status_code for each in answers) == {200: 4, 429: 6}


async def test_a_key_without_a_rate_is_never_stopped(api: Api) -> None:
    answers = await asyncio.gather(*(api.client.get("/v1/limits") for _ in range(100)))

    assert {each.status_code for each in answers} == {200}


async def test_one_key_s_rate_is_not_another_s(api: Api) -> None:
    async with calling(api.server, requests_per_s=1) as one, calling(api.server, requests_per_s=1) as other:
        first = [(await one.client.get("/v1/limits")).status_code for _ in range(3)]
        second = [(await other.client.get("/v1/limits")).status_code for _ in range(2)]

    assert first == [200, 200, 429]
    assert second == [200, 200]
