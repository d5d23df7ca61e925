"""Temporal away: a start says so in time, leaves nothing pending, and costs the number nothing."""

from collections.abc import AsyncIterator, Iterator

import pytest

from domain.ids import parse
from tests.api.serving import Api, Server, calling, running_api
from tests.building import a_phone, code_of, pass_time


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("away")) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    server.workflows.is_away = False
    async with calling(server) as called:
        yield called


async def test_a_start_is_answered_503_and_leaves_nothing(api: Api) -> None:
    api.server.workflows.is_away = True

    answer = await api.start(to=a_phone())

    assert (answer.status_code, answer.json()["code"]) == (503, "temporal-unavailable")
    assert answer.headers["retry-after"] == "2"
    assert await api.count() == 0


async def test_the_next_start_succeeds_at_once(api: Api) -> None:
    phone = a_phone()
    api.server.workflows.is_away = True
    for _ in range(10):
        assert (await api.start(to=phone)).status_code == 503
    api.server.workflows.is_away = False

    answer = await api.start(to=phone)

    assert answer.status_code == 201
    assert answer.json()["sends_left"] == 4


async def test_the_idempotency_key_of_a_failed_start_is_free(api: Api) -> None:
    phone, headers = a_phone(), {"Idempotency-Key": "a"}
    api.server.workflows.is_away = True
    failed = await api.client.post("/v1/verifications", json={"to": phone}, headers=headers)
    api.server.workflows.is_away = False

    again = await api.client.post("/v1/verifications", json={"to": phone}, headers=headers)

    assert (failed.status_code, again.status_code) == (503, 201)
    assert "idempotency-replayed" not in again.headers


async def test_a_resend_that_failed_leaves_the_verification_as_it_was(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    await pass_time(api.database, api.caller, seconds=30)
    before = (await api.client.get(f"/v1/verifications/{verification}")).json()
    api.server.workflows.is_away = True

    answers = [
        await api.client.post(f"/v1/verifications/{verification}/resend"),
        await api.start(to=phone),
    ]

    after = (await api.client.get(f"/v1/verifications/{verification}")).json()
    api.server.workflows.is_away = False
    resent = await api.client.post(f"/v1/verifications/{verification}/resend")
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(503, "temporal-unavailable")] * 2
    assert without_next_send(after) == without_next_send(before)
    assert (resent.status_code, resent.json()["sends_left"]) == (200, 3)


def without_next_send(told: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if name != "next_send_at"}


async def test_checks_reads_and_cancellations_go_on(api: Api) -> None:
    one, other = [(await api.start(to=a_phone())).json()["id"] for _ in range(2)]
    row = parse(one, prefix="ver")
    assert row is not None
    api.server.workflows.is_away = True

    checked = await api.check(one, code_of(row))
    read = await api.client.get(f"/v1/verifications/{one}")
    canceled = await api.client.post(f"/v1/verifications/{other}/cancel")

    assert checked.json()["status"] == read.json()["status"] == "approved"
    assert canceled.json()["status"] == "canceled"
