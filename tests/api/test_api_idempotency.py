"""`Idempotency-Key` on start and resend: done once, told the same again."""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from domain.messages import StartVerification
from tests.api.serving import Api, calling, running_api
from tests.building import FakeWorkflows, a_phone, pass_time
from tests.sandbox.serving import eventually


async def start(api: Api, *, key: str, **body: Any) -> httpx2.Response:
    return await api.client.post("/v1/verifications", json=body, headers={"Idempotency-Key": key})


async def test_the_same_request_again_is_told_the_first_answer_word_for_word(api: Api) -> None:
    phone = a_phone()
    first = await start(api, key="a", to=phone, reference="r")
    await pass_time(api.database, api.caller, seconds=30)

    again = await start(api, key="a", reference="r", to=phone)

    assert again.status_code == 201
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert len([each for each in api.server.outbox.messages if each.to == phone]) == 1


async def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    await start(api, key="a", to=a_phone())

    answer = await start(api, key="a", to=a_phone())

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert await api.count() == 1


async def test_a_key_used_for_a_start_is_not_taken_for_a_resend(api: Api) -> None:
    verification = (await start(api, key="a", to=a_phone())).json()["id"]

    answer = await api.client.post(f"/v1/verifications/{verification}/resend", headers={"Idempotency-Key": "a"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_resend_is_done_once_too(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    await pass_time(api.database, api.caller, seconds=30)

    answers = [
        await api.client.post(f"/v1/verifications/{verification}/resend", headers={"Idempotency-Key": "r"})
        for _ in range(3)
    ]

    assert [each.status_code for each in answers] == [200] * 3
    assert len({each.content for each in answers}) == 1
    assert [each.headers.get("idempotency-replayed") for each in answers] == [None, "true", "true"]
    assert len([each for each in api.server.outbox.messages if each.to == phone]) == 2


async def test_a_start_that_turned_out_a_resend_is_told_again_as_one(api: Api) -> None:
    phone = a_phone()
    first = (await api.start(to=phone)).json()["id"]
    await pass_time(api.database, api.caller, seconds=30)

    answers = [await start(api, key="b", to=phone) for _ in range(2)]

    assert [(each.status_code, each.json()["id"]) for each in answers] == [(200, first)] * 2
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    phone = a_phone()
    await api.start(to=phone)
    too_soon = await start(api, key="c", to=phone)
    await pass_time(api.database, api.caller, seconds=30)

    again = await start(api, key="c", to=phone)

    assert (too_soon.status_code, again.status_code) == (429, 200)
    assert "idempotency-replayed" not in again.headers


async def test_100_identical_requests_at_once_are_one_verification_and_one_message(api: Api) -> None:
    phone = a_phone()

    answers = await asyncio.gather(*(start(api, key="d", to=phone) for _ in range(100)))

    counted = Counter(each.status_code for each in answers)
    fresh = [each for each in answers if each.status_code == 201 and "idempotency-replayed" not in each.headers]
    assert set(counted) <= {201, 409}
    assert len(fresh) == 1
    assert {each.json()["id"] for each in answers if each.status_code == 201} == {fresh[0].json()["id"]}
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {"idempotency-in-flight"}
    assert await api.count() == 1
    assert len([each for each in api.server.outbox.messages if each.to == phone]) == 1


@dataclass(slots=True, kw_only=True)
class SlowWorkflows(FakeWorkflows):
    """Temporal, so slow that a test decides when it answers."""

    may_answer: threading.Event = field(default_factory=threading.Event)

    async def start(self, start: StartVerification, *, account_id: UUID) -> None:
        """Answer when told to."""
        await FakeWorkflows.start(self, start, account_id=account_id)
        await asyncio.to_thread(self.may_answer.wait, 10)


async def test_a_key_in_flight_is_told_to_come_back(tmp_path: Path) -> None:
    workflows = SlowWorkflows()
    with running_api(tmp_path, workflows=workflows) as server:
        async with calling(server) as api:
            phone = a_phone()
            first = asyncio.create_task(start(api, key="e", to=phone))
            await eventually(lambda: bool(workflows.started))

            second = await start(api, key="e", to=phone)
            workflows.may_answer.set()

            answered = await first
            third = await start(api, key="e", to=phone)

    assert (second.status_code, second.json()["code"]) == (409, "idempotency-in-flight")
    assert second.headers["retry-after"] == "1"
    assert (answered.status_code, third.content) == (201, answered.content)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e9", "a\tb"])
async def test_a_key_that_is_no_word_is_refused(api: Api, key: str) -> None:
    answer = await api.client.post(
        "/v1/verifications",
        json={"to": a_phone()},
        headers=[(b"Idempotency-Key", key.encode())],
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert await api.count() == 0


@pytest.mark.parametrize("keys", [("a", "b"), ("same", "same"), ("", "a")])
async def test_two_keys_in_one_request_are_refused(api: Api, keys: tuple[str, str]) -> None:
    headers = [(b"Idempotency-Key", each.encode()) for each in keys]
    started = (await api.client.post("/v1/verifications", json={"to": a_phone()})).json()["id"]

    answers = [
        await api.client.post("/v1/verifications", json={"to": a_phone()}, headers=headers),
        await api.client.post(f"/v1/verifications/{started}/resend", headers=headers),
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(422, "invalid-request")}
    assert await api.count() == 1


async def test_accounts_do_not_share_keys(api: Api) -> None:
    phone = a_phone()
    first = await start(api, key="f", to=phone)
    async with calling(api.server) as other:
        second = await start(other, key="f", to=phone)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_a_day_later_the_key_means_a_new_request(api: Api) -> None:
    phone = a_phone()
    first = await start(api, key="g", to=phone)
    await pass_time(api.database, api.caller, seconds=86_401)

    second = await start(api, key="g", to=phone)

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
