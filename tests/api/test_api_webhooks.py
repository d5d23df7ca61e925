"""`/v1/webhooks` and `/v1/events`: what they answer, what they refuse and why."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from domain.event_types import EventType
from domain.statuses import Environment
from domain.webhooks import MOST_ENDPOINTS
from services.events import STREAMS_PER_ACCOUNT
from tests.activities.webhook_building import happen
from tests.api.serving import Api, Server, calling, running_api
from tests.building import a_phone
from tests.people import approved

URL = "http://127.0.0.1:9000/hooks"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("webhooks"), webhooks_to_loopback=True) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with calling(server) as called:
        yield called


async def create(api: Api, **body: Any) -> httpx2.Response:
    return await api.client.post("/v1/webhooks", json={"url": URL, **body})


async def test_an_endpoint_shows_its_secret_once(api: Api) -> None:
    made = await create(api, events=["verification.*", "check.failed"], description="mine", ed25519=True)
    read = await api.client.get(made.headers["location"])
    listed = await api.client.get("/v1/webhooks")

    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["public_key"].startswith("whpk_")
    assert made.headers["cache-control"] == "no-store"
    assert read.json() == {**made.json(), "secret": None}
    assert listed.json() == {"webhooks": [read.json()]}


async def test_an_endpoint_is_changed_rotated_and_deleted(api: Api) -> None:
    made = (await create(api)).json()
    path = f"/v1/webhooks/{made['id']}"

    changed = await api.client.patch(path, json={"events": ["check.failed"], "status": "disabled"})
    rotated = await api.client.post(f"{path}/rotate")
    enabled = await api.client.patch(path, json={"status": "enabled"})
    deleted = await api.client.delete(path)

    assert changed.json()["events"] == ["check.failed"]
    assert (changed.json()["status"], changed.json()["disabled_reason"]) == ("disabled", "by_account")
    assert rotated.json()["secret"] not in {None, made["secret"]}
    assert rotated.json()["previous_secret_until"]
    assert (enabled.json()["status"], enabled.json()["disabled_reason"]) == ("enabled", None)
    assert deleted.status_code == 204
    assert (await api.client.get(path)).status_code == 404


async def test_a_rotation_cuts_no_secret_off_that_was_promised_to_sign(api: Api) -> None:
    path = f"/v1/webhooks/{(await create(api)).json()['id']}"
    first = (await api.client.post(f"{path}/rotate")).json()

    second = await api.client.post(f"{path}/rotate", json={})
    still = (await api.client.get(path)).json()

    assert (second.status_code, second.json()["code"]) == (409, "rotation-in-progress")
    assert second.json()["previous_secret_until"][:19] == first["previous_secret_until"][:19]
    assert 86_000 < second.json()["retry_after_s"] <= 86_400
    assert still == {**first, "secret": None}


async def test_of_rotations_at_once_one_is_done(api: Api) -> None:
    path = f"/v1/webhooks/{(await create(api)).json()['id']}"

    answers = await asyncio.gather(*(api.client.post(f"{path}/rotate") for _ in range(12)))

    assert sorted(each.status_code for each in answers) == [200] + [409] * 11


async def test_a_secret_that_leaked_ends_at_once(api: Api) -> None:
    path = f"/v1/webhooks/{(await create(api)).json()['id']}"
    await api.client.post(f"{path}/rotate")

    replaced = await api.client.post(f"{path}/rotate", json={"end_previous_now": True})
    again = await api.client.post(f"{path}/rotate")

    assert replaced.status_code == 200
    assert replaced.json()["previous_secret_until"] is None
    assert again.json()["previous_secret_until"]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"url": "https://user:pass@hooks.example.com/"}, "invalid-target", "user name"),
        ({"url": "ftp://hooks.example.com/"}, "invalid-target", "https"),
        ({"url": "http://hooks.example.com/"}, "invalid-target", "https only"),
        ({"url": "https://hooks.example.com:22/"}, "invalid-target", "port 22"),
        ({"url": "https://hooks.exämple.com/"}, "invalid-target", ""),
        ({"url": "https://10.0.0.1/"}, "invalid-target", ""),
        ({"url": "https://hooks.example.com/" + "x" * 3_000}, "invalid-target", "2,048"),
        ({"secret": "whsec_c2hvcnQ="}, "invalid-webhook-secret", "24 to 64"),
        ({"secret": "secret"}, "invalid-webhook-secret", "whsec_"),
        ({"events": ["verification.approved", "verification.proved"]}, "invalid-request", "events"),
        ({"events": ["nothing.*"]}, "invalid-request", "events"),
        ({"events": []}, "invalid-request", "events"),
        ({"urls": URL}, "invalid-request", "urls"),
    ],
)
async def test_bad_input_is_told_what_is_accepted(api: Api, body: dict[str, Any], code: str, says: str) -> None:
    answer = await create(api, **body)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert says in answer.json()["detail"]
    assert (await api.client.get("/v1/webhooks")).json() == {"webhooks": []}


@pytest.mark.parametrize(
    ("types", "named"),
    [
        (["bogus"], "type bogus."),
        (["check.failed", "nothing.*", "verification.proved", "nothing.*"], "type nothing.* or verification.proved."),
        (["check.failed", "+447911123456"], "type in place 2."),
        ([""], "type in place 1."),
    ],
)
async def test_a_type_that_is_none_is_named_with_the_parameter_it_was_sent_in(
    api: Api, types: list[str], named: str
) -> None:
    made = (await create(api)).json()["id"]

    of_events = [await api.client.get(f"/v1/events{each}", params={"type": types}) for each in ("", "/stream")]
    of_webhooks = [
        await create(api, events=types),
        await api.client.patch(f"/v1/webhooks/{made}", json={"events": types}),
        await api.client.post(
            f"/v1/webhooks/{made}/replay", json={"from": datetime.now(tz=UTC).isoformat(), "events": types}
        ),
    ]

    assert {(each.status_code, each.json()["code"]) for each in (*of_events, *of_webhooks)} == {
        (422, "invalid-request")
    }
    assert all(each.json()["detail"].startswith(f"type: no event has the {named}") for each in of_events)
    assert all(each.json()["detail"].startswith(f"events: no event has the {named}") for each in of_webhooks)


async def test_the_limit_of_endpoints_holds_when_many_come_at_once(api: Api) -> None:
    answers = await asyncio.gather(*(create(api) for _ in range(MOST_ENDPOINTS + 5)))

    codes = sorted(each.status_code for each in answers)
    assert codes == [201] * MOST_ENDPOINTS + [409] * 5


async def test_endpoints_and_events_are_their_account_s_and_their_environment_s(server: Server, api: Api) -> None:
    made = (await create(api)).json()
    (event,) = await happen(api.database, api.caller)

    async with calling(server) as other, calling(server, environment=Environment.PRODUCTION) as elsewhere:
        for each in (other, elsewhere):
            for method, path in (
                ("GET", ""),
                ("PATCH", ""),
                ("DELETE", ""),
                ("POST", "/rotate"),
                ("POST", "/test"),
                ("GET", "/deliveries"),
            ):
                body: dict[str, str] | None = {} if method == "PATCH" else None
                answer = await approved(server, each.client, method, f"/v1/webhooks/{made['id']}{path}", body)
                assert answer.status_code == 404, path
            assert (await each.client.get("/v1/events")).json()["events"] == []
            assert (await each.client.get("/v1/events", params={"cursor": event})).status_code == 422


async def test_a_test_and_a_replay_are_queued_for_this_endpoint(api: Api) -> None:
    made = (await create(api)).json()
    path = f"/v1/webhooks/{made['id']}"
    (event,) = await happen(api.database, api.caller)

    test = await api.client.post(f"{path}/test")
    one = await api.client.post(f"{path}/replay", json={"event_id": event})
    many = await api.client.post(f"{path}/replay", json={"from": "2026-01-01T00:00:00Z", "events": ["limit.*"]})
    neither = await api.client.post(f"{path}/replay", json={})
    unknown = await api.client.post(f"{path}/replay", json={"event_id": "evt_" + "0" * 32})
    listed = await api.client.get(f"{path}/deliveries")

    assert (test.status_code, one.json(), many.json()) == (
        202,
        {"events": 1, "go_on_from": None},
        {"events": 1, "go_on_from": None},
    )
    assert (neither.status_code, unknown.status_code) == (422, 404)
    assert [(each["event_id"], each["status"]) for each in listed.json()["deliveries"]] == [
        (test.json()["event_id"], "pending"),
        (event, "pending"),
    ]
    await api.client.patch(path, json={"status": "disabled"})
    refused = await api.client.post(f"{path}/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook-disabled")


async def test_events_are_listed_in_order_and_gone_on_from(api: Api) -> None:
    started = (await api.start(to=a_phone())).json()

    first = (await api.client.get("/v1/events", params={"limit": 1})).json()
    rest = (await api.client.get("/v1/events", params={"cursor": first["next_cursor"]})).json()
    none = (await api.client.get("/v1/events", params={"cursor": rest["next_cursor"]})).json()
    filtered = (await api.client.get("/v1/events", params={"type": ["attempt.*", "check.failed"]})).json()
    of_one = (await api.client.get("/v1/events", params={"verification_id": started["id"]})).json()

    told = [*first["events"], *rest["events"]]
    assert [each["type"] for each in told] == ["verification.created", "attempt.submitted"]
    assert (first["has_more"], rest["has_more"], none["events"]) == (True, False, [])
    assert none["next_cursor"] == rest["next_cursor"]
    assert [each["type"] for each in filtered["events"]] == ["attempt.submitted"]
    assert of_one["events"] == told
    assert told[0]["data"]["verification_id"] == started["id"]
    assert told[0]["data"]["to"] == started["to"]


async def test_a_stream_goes_on_after_the_last_event_and_tells_what_happens(api: Api) -> None:
    ids = await happen(api.database, api.caller, 2)

    heard: list[dict[str, Any]] = []
    async with raw(api) as client, stream(client, after=ids[0]) as lines:
        async for told in events_in(lines):
            heard.append(told)
            if len(heard) == 1:
                ids += await happen(api.database, api.caller)
            if len(heard) == 2:
                break

    assert [each["id"] for each in heard] == ids[1:]


async def test_streams_are_bounded(api: Api) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(raw(api))
        opened = [await stack.enter_async_context(stream(client)) for _ in range(STREAMS_PER_ACCOUNT)]
        # Kept, because one that is let go of closes its connection.
        lines = [each.aiter_lines() for each in opened]
        for each in lines:
            await anext(each)
        refused = await api.client.get("/v1/events/stream")

    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")


async def test_of_many_streams_at_once_those_over_the_limit_are_refused(api: Api) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(raw(api))
        opening = (stack.enter_async_context(stream(client)) for _ in range(STREAMS_PER_ACCOUNT + 11))
        opened = await asyncio.gather(*opening)

        assert sorted(each.status_code for each in opened) == [200] * STREAMS_PER_ACCOUNT + [429] * 11


async def test_a_stream_of_a_type_that_is_none_is_refused(api: Api) -> None:
    refused = await api.client.get("/v1/events/stream", params={"type": "nothing.*"})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")


async def test_a_stream_ends_when_its_process_is_to_stop(tmp_path: Path) -> None:
    with running_api(tmp_path) as server:
        async with calling(server) as api, raw(api) as client, stream(client) as response:
            lines = response.aiter_lines()
            await anext(lines)
            server.drain()
            rest = [line async for line in lines]

    assert not [line for line in rest if line.strip(":")]


def raw(api: Api) -> httpx2.AsyncClient:
    """Return a client that reads an answer as it comes."""
    headers = {"Authorization": f"Bearer {api.key}"}
    return httpx2.AsyncClient(base_url=api.server.url, headers=headers, trust_env=False, timeout=20)


def stream(client: httpx2.AsyncClient, *, after: str | None = None) -> Any:
    headers = {} if after is None else {"Last-Event-ID": after}
    return client.stream("GET", "/v1/events/stream", headers=headers)


async def events_in(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_the_api_reference_has_a_schema_for_every_type(server: Server) -> None:
    described = server.openapi["webhooks"]

    assert set(described) == {each.value for each in EventType}
