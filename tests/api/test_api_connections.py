"""Connections that are no good: what is late is cut off, what is too much is refused, what is no HTTP is told so."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import protocol
from tests.api.serving import Api, Server, opened, running_api
from tests.api.wire import HOST, Heard, connect, get, post, tell

CLOSE = b"Connection: close"
NOT_HTTP = {
    "a length that is no number": post("/v1/verifications", b"Content-Length: ten"),
    "a length below nothing": post("/v1/verifications", b"Content-Length: -1"),
    "two lengths": post("/v1/verifications", b"Content-Length: 2", b"Content-Length: 3", body=b"{}"),
    "a length and chunks": post("/v1/verifications", b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"{}"),
    "chunks inside of something else": post("/v1/verifications", b"Transfer-Encoding: gzip, chunked"),
    "a chunk's length that is no number": post("/v1/verifications", b"Transfer-Encoding: chunked", body=b"zz\r\n"),
    "a trailer": post("/v1/limits", b"Transfer-Encoding: chunked", body=b"0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"),
    "a NUL in a header": get("/livez", b"X-Text: a\x00b"),
    "a line end alone in a header": get("/livez", b"X-Text: a\nX-More: b\x01"),
    "a header without a name": get("/livez", b": value"),
    "a space before the colon": get("/livez", b"X-Text : value"),
    "a folded header": get("/livez", b"X-Text: a\r\n b\x00"),
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": get("/livez", b"Host: elsewhere"),
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "HTTP/2 without being asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.7": get(version="3.7"),
    "a method that is none": b"FETCH /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS on a port without": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a tunnel": b"CONNECT elsewhere:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that is not ASCII": "GET /livéz HTTP/1.1\r\n".encode() + HOST + b"\r\n",
}
TOO_LARGE = {
    "one header": get("/livez", b"X-Long: " + b"a" * 16_384),
    "many headers": get("/livez", *(b"X-%d: %s" % (each, b"a" * 400) for each in range(50))),
    "more than a hundred": get("/livez", *(b"X-%d: a" % each for each in range(101))),
    "the path": get("/livez?" + "a" * 16_384),
    "64 KiB": get("/livez", b"X-Long: " + b"a" * 65_536),
    "without an end": b"GET /livez HTTP/1.1\r\nX-Long: " + b"a" * 200_000,
}


@pytest.mark.parametrize("name", NOT_HTTP)
async def test_what_is_no_http_is_refused_as_a_problem_and_closed(server: Server, name: str) -> None:
    heard = await tell(server.url, NOT_HTTP[name])

    assert (heard.status, heard.problem["code"]) == (400, "bad-request")
    assert heard.headers["connection"] == "close"
    assert heard.answers == 1
    assert heard.took_s < 8


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_head_over_its_limits_is_refused_as_a_problem_and_closed(server: Server, name: str) -> None:
    heard = await tell(server.url, TOO_LARGE[name])

    assert (heard.status, heard.problem["code"]) == (431, "headers-too-large")
    assert heard.answers == 1


async def test_a_head_just_within_its_limits_is_taken(server: Server) -> None:
    room = protocol.MAX_HEAD_BYTES - len("/livez") - len(b"Host: localhost\r\n") - len(b"Connection: close\r\n")
    heard = await tell(server.url, get("/livez", CLOSE, b"X: " + b"a" * (room - len(b"X: \r\n"))))
    many = await tell(server.url, get("/livez", CLOSE, *(b"X-%d: a" % each for each in range(98))))

    assert (heard.status, many.status) == (200, 200)


async def test_a_body_before_a_head_is_not_counted_as_the_head(server: Server) -> None:
    first = post("/v1/limits", b"Content-Length: 60000", body=b"a" * 60_000)

    heard = await tell(server.url, first + get("/livez")[:20], get("/livez", CLOSE)[20:])

    assert heard.answers == 2
    assert b"HTTP/1.1 431" not in heard.raw


async def test_what_never_comes_to_its_end_is_cut_off_within_15_s(server: Server) -> None:
    # Who sends a receipt is known by its body, so this one is read before anything is answered.
    begun = post("/receipts/nobody", b"Content-Length: 100")
    chunked = post("/receipts/nobody", b"Transfer-Encoding: chunked")
    stalled = {
        "nothing": tell(server.url),
        "half a head": tell(server.url, get()[:-2]),
        "a head, dripping": tell(server.url, b"GET /livez HTTP/1.1\r\n", drip=b"X-A: b\r\n", every_s=0.5),
        "line ends, dripping": tell(server.url, drip=b"\r\n", every_s=0.5),
        "half a body": tell(server.url, begun, b'{"to": "+44'),
        "a body, dripping": tell(server.url, begun, drip=b" ", every_s=0.5),
        "chunks, dripping": tell(server.url, chunked, drip=b"1\r\n \r\n", every_s=0.5),
        "a body that nobody waits for": tell(
            server.url, post("/v1/limits", b"Content-Length: 1000"), drip=b" ", every_s=0.5
        ),
        "another request after one": tell(server.url, get(), get()[:-2]),
    }

    heard = dict(zip(stalled, await asyncio.gather(*stalled.values()), strict=True))

    assert {name: each.took_s for name, each in heard.items() if not 9 < each.took_s < 15} == {}
    late = {"half a head", "a head, dripping", "half a body", "a body, dripping", "chunks, dripping"}
    assert {name for name, each in heard.items() if each.status == 408} == late
    assert {heard[name].problem["code"] for name in late} == {"request-timeout"}
    assert heard["nothing"].raw == heard["line ends, dripping"].raw == b""
    assert heard["another request after one"].answers == 2
    assert heard["a body that nobody waits for"].answers == 1


async def test_an_answer_that_nobody_reads_is_cut_off_within_15_s(server: Server) -> None:
    clock = asyncio.get_running_loop().time
    _, writer = await connect(server.url)
    began = clock()
    try:
        for _ in range(protocol.MAX_AHEAD):
            writer.write(get("/static/vendor/scalar-1.46.4/standalone.js"))
        # Only what is sent finds out that nobody is there any more.
        while not writer.transport.is_closing():
            assert clock() - began < 20
            writer.write(b"\r\n")
            await asyncio.sleep(0.1)
    finally:
        writer.close()

    assert 9 < clock() - began < 15


async def test_a_connection_that_waits_for_its_next_request_is_kept_for_a_while_and_not_for_ever(
    server: Server,
) -> None:
    heard = await tell(server.url, get())

    assert heard.status == 200
    assert 14 < heard.took_s < 18


async def test_requests_sent_ahead_are_answered_in_order_and_too_many_are_not(server: Server) -> None:
    few = await tell(server.url, get() * 9 + get("/nothing", CLOSE))
    many = await tell(server.url, get() * 500)

    assert few.answers == 10
    assert few.raw.rindex(b"HTTP/1.1 404") > few.raw.rindex(b"HTTP/1.1 200")
    assert many.answers <= protocol.MAX_AHEAD


async def test_nonsense_after_a_request_is_not_answered_in_its_place(server: Server) -> None:
    heard = await tell(server.url, get("/livez") + b"\x00\x01nonsense\r\n\r\n")

    assert b"HTTP/1.1 400" not in heard.raw


async def test_an_upgrade_is_ignored_and_its_body_is_not_taken_for_a_request(server: Server) -> None:
    hidden = get("/nothing")
    length = b"Content-Length: %d" % len(hidden)

    heard = await tell(server.url, post("/livez", b"Connection: Upgrade", b"Upgrade: h2c", length, body=hidden))

    assert heard.answers == 1
    assert heard.status == 405


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    with running_api(tmp_path, connections=3) as running:
        yield running


async def test_one_connection_too_many_is_told_so_and_there_is_room_again_afterwards(small: Server) -> None:
    held = [await connect(small.url) for _ in range(3)]
    await asyncio.gather(*(_answered(*each) for each in held))

    refused = await tell(small.url)
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with opened(small) as client:
        again = await client.get("/livez")

    assert (refused.status, refused.problem["code"]) == (503, "too-many-connections")
    assert refused.headers["retry-after"] == "1"
    assert again.status_code == 200


async def test_others_are_served_while_some_stall(api: Api) -> None:
    held = [await connect(api.server.url) for _ in range(100)]
    for _, writer in held:
        writer.write(get()[:-2])

    answers = [await api.client.get("/v1/limits") for _ in range(10)]

    assert {each.status_code for each in answers} == {200}
    for _, writer in held:
        writer.close()


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(get())
    await reader.readuntil(b"}")


def test_what_is_heard_is_read_as_it_was_sent() -> None:
    heard = Heard(raw=b"HTTP/1.1 400 Bad Request\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", took_s=0)

    assert (heard.status, heard.headers, heard.answers) == (400, {"a": "b"}, 2)
