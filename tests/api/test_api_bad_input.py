"""Whatever is sent: a problem that says what is accepted, nothing created, nothing repeated, and the server goes on."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from domain.statuses import Environment
from tests.api.serving import Api, calling, opened
from tests.api.wire import post as post_head
from tests.api.wire import tell
from tests.building import PHONE, a_phone

# 50 MB, unpacked.
BOMB = gzip.compress(bytes(50_000_000), 1)[:60_000]
BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "invalid-request"),
    "null": (b"null", 422, "invalid-request"),
    "a list": (b'[{"to": "+447911123456"}]', 422, "invalid-request"),
    "a text": (b'"+447911123456"', 422, "invalid-request"),
    "broken": (b'{"to": "+447911123456"', 400, "malformed-body"),
    "two values": (b'{"to": "+447911123456"} {}', 400, "malformed-body"),
    "invalid UTF-8": (b'{"to": "+44791112345\xff"}', 400, "malformed-body"),
    "UTF-16 without a mark": ('{"to": "+447911123456"}'.encode("utf-16-le")[:-1], 400, "malformed-body"),
    "a bare NUL": (b'{"to": "+44791112345\x006"}', 400, "malformed-body"),
    "deep lists": (b"[" * 60_000, 400, "malformed-body"),
    "deep objects": (b'{"to":' * 9_000 + b"1" + b"}" * 9_000, 400, "malformed-body"),
    "33 lists in each other": (b"[" * 33 + b"]" * 33, 400, "malformed-body"),
    "33 objects and lists": (b'{"a":[' * 17 + b"1" + b"]}" * 17, 400, "malformed-body"),
    "32 lists in each other": (b"[" * 32 + b"]" * 32, 422, "invalid-request"),
    "many lists beside each other": (b"[" + b"[]," * 10_000 + b"[]]", 422, "invalid-request"),
    "brackets in a text": (b'{"to": "' + b'[{\\"' * 100 + b'"}', 422, "invalid-number"),
    "a number a thousand digits long": (
        b'{"to": "+447911123456", "ttl_s": ' + b"9" * 5_000 + b"}",
        400,
        "malformed-body",
    ),
    "NaN": (b'{"to": "+447911123456", "ttl_s": NaN}', 422, "invalid-request"),
    "Infinity": (b'{"to": "+447911123456", "ttl_s": Infinity}', 422, "invalid-request"),
    "NaN for a number": (b'{"to": NaN}', 422, "invalid-request"),
    "a lone surrogate": (b'{"to": "+447911123456", "reference": "\\ud800"}', 422, "invalid-request"),
    "a lone surrogate as a name": (b'{"to": "+447911123456", "\\ud800": 1}', 422, "invalid-request"),
    "a NUL in the number": (b'{"to": "+44791112345\\u00006"}', 422, "invalid-number"),
    "a line end after the number": (b'{"to": "+447911123456\\n"}', 422, "invalid-number"),
}

FIELDS: list[dict[str, Any]] = [
    {},
    {"to": None},
    {"to": 447911123456},
    {"to": ["+447911123456"]},
    {"to": {"e164": "+447911123456"}},
    {"to": True},
    {"to": PHONE, "unknown": 1},
    {"to": PHONE, "TO": PHONE},
    {"to": PHONE, "channel": "fax"},
    {"to": PHONE, "channel": None},
    {"to": PHONE, "purpose": "marketing"},
    {"to": PHONE, "locale": "english please"},
    {"to": PHONE, "locale": "en\n"},
    {"to": PHONE, "locale": "../en"},
    {"to": PHONE, "brand": ""},
    {"to": PHONE, "brand": "A" * 25},
    {"to": PHONE, "brand": "ACME\u0000"},
    {"to": PHONE, "brand": "ACME\n http://x"},
    {"to": PHONE, "brand": "AC\u200bME"},
    {"to": PHONE, "brand": "{code}"},
    {"to": PHONE, "brand": "\U0001f600"},
    {"to": PHONE, "ttl_s": 29},
    {"to": PHONE, "ttl_s": 601},
    {"to": PHONE, "ttl_s": "300"},
    {"to": PHONE, "ttl_s": 300.5},
    {"to": PHONE, "ttl_s": True},
    {"to": PHONE, "ttl_s": None},
    {"to": PHONE, "ttl_s": 10**30},
    {"to": PHONE, "code_length": 3},
    {"to": PHONE, "code_length": 9},
    {"to": PHONE, "code_length": "6"},
    {"to": PHONE, "client_ip": "203.0.113.999"},
    {"to": PHONE, "client_ip": "localhost"},
    {"to": PHONE, "client_ip": "203.0.113.0/24"},
    {"to": PHONE, "client_ip": 1},
    {"to": PHONE, "client_ip": "fe80::1%eth0"},
    {"to": PHONE, "client_ip": "::1%\u0000"},
    {"to": PHONE, "reference": ""},
    {"to": PHONE, "reference": "x" * 65},
    {"to": PHONE, "reference": "a\u0000b"},
    {"to": PHONE, "reference": "a\u001b[31mb"},
    {"to": PHONE, "reference": "a\u202eb"},
    {"to": PHONE, "reference": 42},
]

NUMBERS = {
    "": "invalid-number",
    "447911123456": "invalid-number",
    "00447911123456": "invalid-number",
    "+44 7911 123456": "invalid-number",
    "+44(0)7911123456": "invalid-number",
    "+4407911123456": "invalid-number",
    "+447911123456;ext=1": "invalid-number",
    "tel:+447911123456": "invalid-number",
    "+44791112345a": "invalid-number",
    "\uff0b447911123456": "invalid-number",
    "+\u0664\u0664\u0667\u0669\u0661\u0661\u0661\u0662\u0663\u0664\u0665\u0666": "invalid-number",
    "+44\u200b7911123456": "invalid-number",
    "+999123456789": "unknown-country",
    "+881612345678": "unknown-country",
    "+442079460958": "number-type-not-allowed",
    "+448001111111": "number-type-not-allowed",
    "+449091234567": "number-type-not-allowed",
    "+44791112345678901": "invalid-number",
    "+" + "4" * 1_000: "invalid-number",
    "+" + "4" * 2_000: "invalid-request",
}


async def post(api: Api, content: Any, *, media_type: str = "application/json") -> httpx2.Response:
    return await api.client.post("/v1/verifications", content=content, headers={"Content-Type": media_type})


async def assert_nothing_happened(api: Api) -> None:
    assert await api.count() == 0


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_cannot_be_meant_is_refused_and_creates_nothing(api: Api, name: str) -> None:
    content, status, code = BODIES[name]

    answer = await post(api, content)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    await assert_nothing_happened(api)


@pytest.mark.parametrize("body", FIELDS, ids=lambda body: json.dumps(body)[:60])
async def test_a_field_of_the_wrong_form_is_refused_by_name_and_creates_nothing(api: Api, body: dict[str, Any]) -> None:
    answer = await api.start(**body)

    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "invalid-request")
    assert told["errors"][0]["field"]
    assert told["errors"][0]["message"]
    await assert_nothing_happened(api)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ascii(number)[:40])
async def test_a_number_we_do_not_take_is_refused_with_what_we_take(api: Api, number: str) -> None:
    answer = await api.start(to=number)

    assert (answer.status_code, answer.json()["code"]) == (422, NUMBERS[number])
    await assert_nothing_happened(api)


async def test_the_first_of_two_fields_of_one_name_does_not_slip_through(api: Api) -> None:
    answer = await post(api, b'{"to": "+447911123456", "to": "+447911123457"}')

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    await assert_nothing_happened(api)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_that_is_not_called_json_is_refused(api: Api, media_type: str) -> None:
    answer = await post(api, json.dumps({"to": a_phone()}), media_type=media_type)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    await assert_nothing_happened(api)


async def test_a_body_that_is_called_nothing_is_refused(api: Api) -> None:
    answer = await api.client.post("/v1/verifications", content=json.dumps({"to": a_phone()}))

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    await assert_nothing_happened(api)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"])
async def test_a_body_that_is_called_json_is_taken(api: Api, media_type: str) -> None:
    answer = await post(api, json.dumps({"to": a_phone()}), media_type=media_type)

    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, identity", "nothing"])
@pytest.mark.parametrize("path", ["/v1/verifications", "/v1/verifications/unlock", "/receipts/alpha", "/v1/nothing"])
async def test_a_compressed_body_is_refused_and_not_unpacked(api: Api, encoding: str, path: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = await api.client.post(path, content=BOMB, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-encoding")


async def test_a_body_that_says_it_is_not_compressed_is_taken(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    answer = await api.client.post("/v1/verifications", content=json.dumps({"to": a_phone()}), headers=headers)

    assert answer.status_code == 201


@pytest.mark.parametrize("content", [b"{", b"[" * 60_000, b"", b"\xff", b'{"to": 1}'])
@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic x"])
async def test_a_stranger_is_told_to_say_who_they_are_and_nothing_of_their_body(
    api: Api, content: bytes, authorization: str
) -> None:
    async with opened(api.server, headers={"Authorization": authorization} if authorization else None) as stranger:
        answers = [
            await stranger.post("/v1/verifications", content=content, headers={"Content-Type": media_type})
            for media_type in ("application/json", "text/plain")
        ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(401, "unauthenticated")}


async def test_a_body_that_was_asked_for_is_not_asked_for_from_a_stranger(api: Api) -> None:
    """Who would send one first asks whether it is wanted, and is told no."""
    head = (b"Content-Type: application/json", b"Content-Length: 100", b"Expect: 100-continue", b"Connection: close")

    heard = await tell(api.server.url, post_head("/v1/verifications", *head))

    assert heard.status == 401


async def test_of_thousands_of_unknown_fields_the_first_few_are_told(api: Api) -> None:
    answer = await post(api, json.dumps({f"f{each}": 1 for each in range(5_000)}))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert len(answer.json()["errors"]) == 20
    assert "5001 fields in all" in answer.json()["detail"]


@pytest.mark.parametrize(
    "guess", ["123", "12345678901", "12345a", "", " 123456", "123456\n", "\u0661\u0662\u0663\u0664"]
)
async def test_a_guess_that_could_not_be_a_code_is_refused_and_not_counted(api: Api, guess: str) -> None:
    verification = (await api.start(to=a_phone())).json()["id"]

    answer = await api.check(verification, guess)

    left = (await api.client.get(f"/v1/verifications/{verification}")).json()["checks_left"]
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert left == 5


@pytest.mark.parametrize("body", [{"code": 123456}, {"code": None}, {}, {"code": "123456", "also": 1}, {"code": ["1"]}])
async def test_a_check_of_the_wrong_form_is_refused_and_not_counted(api: Api, body: dict[str, Any]) -> None:
    verification = (await api.start(to=a_phone())).json()["id"]

    answer = await api.client.post(f"/v1/verifications/{verification}/checks", json=body)

    left = (await api.client.get(f"/v1/verifications/{verification}")).json()["checks_left"]
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert left == 5


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    """Send a body without saying how long it is."""
    yield b'{"to": "'
    for _ in range(size // 1_000):
        yield b"4" * 1_000
    yield b'"}'


@pytest.mark.parametrize("path", ["/v1/verifications", "/v1/verifications/unlock", "/v1/nothing", "/v1/limits"])
async def test_a_body_that_says_it_is_over_64_kib_is_refused_before_anything_else(api: Api, path: str) -> None:
    answers = [await api.client.post(path, content=b"x" * size) for size in (65_537, 500_000)]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(413, "body-too-large")}


@pytest.mark.parametrize("size", [66_000, 70_000, 500_000])
async def test_a_body_that_turns_out_to_be_over_64_kib_is_refused_so_that_the_sender_hears_it(
    api: Api, size: int
) -> None:
    answer = await post(api, in_pieces(size))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    await assert_nothing_happened(api)


async def test_a_body_of_64_kib_is_read(api: Api) -> None:
    body = json.dumps({"to": "x"}).encode()

    answer = await post(api, body + b" " * (65_536 - len(body)))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-number")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/verifications/", 404),
        ("GET", "/v1/verifications/ver_x", 404),
        ("GET", f"/v1/verifications/ver_{'0' * 32}", 404),
        ("GET", f"/v1/verifications/att_{'0' * 32}", 404),
        ("GET", f"/v1/verifications/VER_{'0' * 32}", 404),
        ("GET", f"/v1/verifications/ver_{'0' * 32}%0a", 404),
        ("GET", "/v1/verifications/%00", 404),
        ("GET", f"/v1/verifications/{'0' * 100}", 422),
        ("GET", "/v1/verifications/unlock", 404),
        ("POST", f"/v1/verifications/ver_{'0' * 32}/resend", 404),
        ("POST", f"/v1/verifications/ver_{'0' * 32}/cancel", 404),
        ("DELETE", "/v1/verifications", 405),
        ("PUT", f"/v1/verifications/ver_{'0' * 32}", 405),
        ("GET", f"/v1/verifications/ver_{'0' * 32}/checks", 405),
        ("POST", "/v1/limits", 405),
        ("PATCH", "/v1/countries", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_too(api: Api, method: str, path: str, status: int) -> None:
    answer = await api.client.request(method, path)

    assert answer.status_code == status
    assert ("allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize(
    "body",
    [{"to": f"{PHONE}7890"}, {"to": PHONE, PHONE: 1}, {"to": PHONE, "reference": f"{PHONE}\u0000"}],
)
async def test_a_problem_repeats_nothing_that_was_sent(api: Api, body: dict[str, Any]) -> None:
    answer = await api.start(**body)

    assert answer.status_code == 422
    assert PHONE[3:] not in answer.text


async def test_sandbox_tools_are_refused_to_production_keys_and_say_when_there_is_no_sandbox(api: Api) -> None:
    async with calling(api.server, environment=Environment.PRODUCTION) as live:
        refused = await live.client.get("/v1/sandbox/messages")
    away = [
        await api.client.get("/v1/sandbox/messages"),
        await api.client.get("/v1/sandbox/carriers"),
        await api.client.put("/v1/sandbox/carriers/alpha", json={"behaviour": "refuse"}),
        await api.client.delete("/v1/sandbox/carriers/alpha"),
    ]

    assert (refused.status_code, refused.json()["code"]) == (403, "sandbox-only")
    assert {(each.status_code, each.json()["code"]) for each in away} == {(503, "sandbox-unavailable")}


async def test_a_production_key_takes_no_test_number(api: Api) -> None:
    async with calling(api.server, environment=Environment.PRODUCTION) as live:
        fiction = await live.start(to="+447700900123")
        real = await live.start(to=PHONE)
        listed = await live.count()

    assert (fiction.status_code, fiction.json()["code"]) == (422, "invalid-number")
    assert real.status_code == 201
    assert listed == 1


async def test_a_receipt_of_no_carrier_is_refused(api: Api) -> None:
    answer = await api.client.post("/receipts/nobody", content=b"{}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("number", ["0.5", "1700000000", "-1", "1e9", "+5", "1700000000000"])
async def test_a_moment_that_is_a_bare_number_is_refused_with_what_is_accepted(api: Api, number: str) -> None:
    answer = await api.client.get("/v1/verifications", params={"created_after": number})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "2026-11-22T12:00:00Z" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/verifications", "GET, POST"), ("/v1/verifications/unlock", "POST"), ("/v1/keys", "GET, POST")],
)
async def test_a_method_that_a_path_does_not_take_is_told_every_one_that_it_does(
    api: Api, path: str, methods: str
) -> None:
    answer = await api.client.delete(path)

    assert (answer.status_code, answer.headers["allow"]) == (405, methods)
