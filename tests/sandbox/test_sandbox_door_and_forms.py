"""What the sandbox does not take: strangers, unknown carriers, bodies that are too long or wrong."""

import json
from typing import Any

import httpx2
import pytest

from tests.sandbox.serving import SECRET, RunningSandbox

HEADERS = {"authorization": f"Bearer {SECRET}"}
GOOD: dict[str, Any] = {
    "reference": "att_" + "a" * 32,
    "to": "+447700900001",
    "sender": "Us",
    "text": "Hi",
    "validity_s": 300,
}


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer x"}, {"authorization": f"bearer{SECRET}"}])
@pytest.mark.parametrize("path", ["/messages", "/ledger", "/behaviours", "/livez", "/nowhere"])
async def test_a_stranger_is_sent_away(
    path: str,
    header: dict[str, str],
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get(sandbox.url + path, headers=header)

    assert response.status_code == 401
    assert response.json()["code"] == "unauthenticated"


async def test_a_header_beyond_ascii_is_no_secret(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    response = await client.get(f"{sandbox.url}/livez", headers=[(b"authorization", b"Bearer \xff\xfe")])

    assert response.status_code == 401


async def test_the_process_says_it_is_alive(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"{sandbox.url}/livez", headers=HEADERS)).status_code == 200


async def test_an_unknown_carrier_is_named_with_the_known_ones(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post(f"{sandbox.url}/carriers/zulu/messages", headers=HEADERS, json=GOOD)

    assert response.status_code == 404
    assert "alpha, bravo, charlie, delta" in response.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "att_1"},
        {"reference": GOOD["reference"] + "\n"},
        {"to": "07700900001"},
        {"text": ""},
        {"text": "x" * 1531},
        {"sender": "x" * 21},
        {"validity_s": 0},
        {"more": 1},
    ],
)
async def test_a_bad_message_is_refused_with_a_sentence(
    change: dict[str, Any],
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post(f"{sandbox.url}/carriers/alpha/messages", headers=HEADERS, json=GOOD | change)

    assert response.status_code == 422
    assert response.json()["detail"].startswith(next(iter(change)))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"\\ud800"', b"\xff", json.dumps(GOOD).encode()[:-1]])
async def test_a_body_that_is_no_form_is_refused(
    body: bytes,
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post(f"{sandbox.url}/carriers/alpha/messages", headers=HEADERS, content=body)

    assert response.status_code == 422


async def test_half_a_surrogate_is_refused(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    body = json.dumps(GOOD | {"text": "\ud800"}).encode()

    response = await client.post(f"{sandbox.url}/carriers/alpha/messages", headers=HEADERS, content=body)

    assert response.status_code == 422


async def test_a_body_over_the_limit_is_refused(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    response = await client.post(
        f"{sandbox.url}/carriers/alpha/messages",
        headers=HEADERS,
        content=b" " * (64 * 1024 + 1),
    )

    assert response.status_code == 413


@pytest.mark.parametrize(
    "order",
    [
        {"behaviour": "explode"},
        {"behaviour": "hang", "latency_ms": 60_001},
        {"behaviour": "hang", "latency_ms": -1},
        {"behaviour": "hang", "times": 0},
        {"behaviour": "hang", "to": "447700900001"},
        {},
    ],
)
async def test_a_bad_order_is_refused(
    order: dict[str, Any],
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.put(f"{sandbox.url}/behaviours/alpha", headers=HEADERS, json=order)

    assert response.status_code == 422


@pytest.mark.parametrize("after", ["-1", "x", "", "9" * 19])
async def test_a_bad_ledger_position_is_refused(
    after: str,
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get(f"{sandbox.url}/ledger", headers=HEADERS, params={"after": after})

    assert response.status_code == 422


async def test_the_ledger_continues_where_the_reader_stopped(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    for _ in range(2):
        await client.post(f"{sandbox.url}/carriers/alpha/messages", headers=HEADERS, json=GOOD)
    first, second = (await sandbox.control(client).ledger())[-2:]

    response = await client.get(f"{sandbox.url}/ledger", headers=HEADERS, params={"after": str(first.number)})

    assert [entry["number"] for entry in response.json()["entries"]] == [second.number]
