"""Posting to targets that behave in every way, over real sockets: what comes back is always a value."""

import asyncio
import gzip
import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from bench.webhooks import sink as sinks
from bench.webhooks.sink import HOST, Reply, sinking
from domain.targets import Answered, Failed, TargetAnswer, TargetFailure
from rules.webhooks.addresses import Address
from rules.webhooks.targets import TargetPolicy
from security.resolving import SystemResolver
from security.targets import GuardedTargets, TargetLimits
from tests.security.network import Here, Names, certificates

NAME, PUBLIC = "hooks.example.com", "93.184.216.34"
URL = f"https://{NAME}/hooks"
QUICK = TargetLimits(resolve_s=0.2, connect_s=0.5, total_s=0.5)
DEMO = TargetPolicy(is_loopback_allowed=True)


@asynccontextmanager
async def guarded(**parts: Any) -> AsyncIterator[GuardedTargets]:
    targets = GuardedTargets(**parts)
    try:
        yield targets
    finally:
        await targets.aclose()


async def post(targets: GuardedTargets, url: str = URL, **headers: str) -> TargetAnswer:
    return await targets.post(url, body=b'{"a":1}', headers={"content-type": "application/json", **headers})


async def posted(reply: Reply, *, limits: TargetLimits | None = None) -> TargetAnswer:
    """Return what comes of posting to a sink that does this."""
    async with sinking(reply=reply) as sink, guarded(policy=DEMO, limits=limits) as targets:
        return await post(targets, f"{sink.url}/hooks")


async def test_a_webhook_arrives_as_it_was_sent() -> None:
    async with sinking(reply=Reply(body=b"thanks")) as sink, guarded(policy=DEMO) as targets:
        answer = await post(targets, f"{sink.url}/hooks?key=1", **{"webhook-id": "evt_1"})

    (received,) = sink.ledger
    assert answer == Answered(status=200, head="thanks", latency_ms=answer.latency_ms)
    assert (received.path, received.body, received.id) == ("/hooks?key=1", b'{"a":1}', "evt_1")
    assert received.headers["host"] == f"{HOST}:{sink.port}"
    assert received.headers["content-length"] == "7"


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 404, 410, 500, 502, 503, 504])
async def test_every_status_is_an_answer_and_only_2xx_is_success(status: int) -> None:
    answer = await posted(Reply(status=status, headers=(("location", "http://127.0.0.1:1/"),)))

    assert isinstance(answer, Answered)
    assert (answer.status, answer.is_success) == (status, status < 300)


# Far enough for a whole run of the tests to lie between, since it is written down when they are collected.
LATER = datetime.now(tz=UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("120", 120, 120),
        ("0", 0, 0),
        ("999999999999", 86_400, 86_400),
        pytest.param(format_datetime(LATER.replace(microsecond=0), usegmt=True), 3600, 5 * 3600, id="in hours"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400, 86_400),
    ],
)
async def test_retry_after_is_read_in_both_its_forms_up_to_a_day(said: str, least: int, most: int) -> None:
    answer = await posted(sinks.throttled(retry_after=said))

    assert isinstance(answer, Answered)
    assert answer.retry_after_s is not None
    assert least <= answer.retry_after_s <= most


@pytest.mark.parametrize("said", ["soon", "-1", "1.5", "", "١٢", "Mon, 99 Foo 2026"])
async def test_an_unreadable_retry_after_is_none(said: str) -> None:
    answer = await posted(Reply(status=429, raw=f"HTTP/1.1 429 No\r\nretry-after: {said}\r\n\r\n".encode()))

    assert isinstance(answer, Answered)
    assert (answer.status, answer.retry_after_s) == (429, None)


FAILING: dict[str, tuple[Reply, TargetFailure]] = {
    "never answers": (sinks.SILENT, TargetFailure.TIMED_OUT),
    "drips its head": (Reply(drip_s=0.02), TargetFailure.TIMED_OUT),
    "drips its body": (
        Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", stays=True),
        TargetFailure.TIMED_OUT,
    ),
    "sends the sign to go on for ever": (
        Reply(raw=b"HTTP/1.1 100 Go on\r\n\r\n" * 50, stays=True),
        TargetFailure.TIMED_OUT,
    ),
    "hangs up": (sinks.CUT, TargetFailure.NOT_HTTP),
    "hangs up in its head": (Reply(raw=b"HTTP/1.1 200 OK\r\nconten"), TargetFailure.NOT_HTTP),
    "hangs up in its body": (Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), TargetFailure.NOT_HTTP),
    "is another service": (Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n"), TargetFailure.NOT_HTTP),
    "has a head without end": (Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 60_000), TargetFailure.NOT_HTTP),
    "changes the protocol": (Reply(raw=b"HTTP/1.1 101 Go\r\nupgrade: websocket\r\n\r\n"), TargetFailure.NOT_HTTP),
    "has two lengths": (
        Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        TargetFailure.NOT_HTTP,
    ),
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_failure_is_a_value_when_a_target(name: str) -> None:
    reply, kind = FAILING[name]

    answer = await posted(reply, limits=QUICK if kind is TargetFailure.TIMED_OUT else None)

    assert isinstance(answer, Failed)
    assert answer.kind is kind
    assert HOST not in answer.detail


async def test_the_whole_try_ends_in_time_also_when_each_byte_comes_in_time() -> None:
    began = asyncio.get_running_loop().time()

    answer = await posted(Reply(drip_s=0.05, body=b"x" * 1_000), limits=QUICK)

    assert isinstance(answer, Failed)
    assert answer.latency_ms >= 450
    assert asyncio.get_running_loop().time() - began < 5


async def test_noise_is_never_more_than_a_failed_try() -> None:
    rng = random.Random(25)
    pieces = (
        b"HTTP/1.1 200 OK\r\n",
        b"\r\n",
        b"content-length: 5\r\n",
        b"transfer-encoding: chunked\r\n",
        b"ffffff\r\n",
    )
    async with sinking() as sink, guarded(policy=DEMO, limits=QUICK) as targets:
        for _ in range(300):
            noise = b"".join(rng.choice([*pieces, rng.randbytes(rng.randrange(1, 30))]) for _ in range(6))
            sink.reply = Reply(raw=noise)

            assert isinstance(await post(targets, sink.url), Answered | Failed)


async def test_no_more_than_64_kib_of_a_body_are_waited_for() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"
    answer = await posted(Reply(raw=head + b"a" * 200_000, stays=True), limits=TargetLimits(total_s=20))

    assert isinstance(answer, Answered)
    assert answer.head == "a" * 1_024


async def test_the_head_of_a_body_is_text_that_a_database_takes() -> None:
    answer = await posted(Reply(body=b"\x00ok\x1b[31m\xff\n\tend" + b"\xc3\xa9" * 1_000))

    assert isinstance(answer, Answered)
    assert answer.head.startswith("\ufffdok\ufffd[31m\ufffd\n\tend")
    assert "\x00" not in answer.head


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    answer = await posted(Reply(body=bomb, headers=(("content-encoding", "gzip"),)))

    assert isinstance(answer, Answered)
    assert len(answer.head) <= 1_024
    assert "\ufffd" in answer.head


async def test_a_cookie_is_not_sent_back() -> None:
    reply = Reply(headers=(("set-cookie", "a=b"),))
    async with sinking(reply=reply) as sink, guarded(policy=DEMO) as targets:
        await post(targets, sink.url)
        await post(targets, sink.url)

    assert [received.headers.get("cookie") for received in sink.ledger] == [None, None]


async def test_the_environment_s_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sinking() as proxy, sinking() as sink, guarded(policy=DEMO) as targets:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        answer = await post(targets, sink.url)

    assert isinstance(answer, Answered)
    assert (proxy.connects, sink.connects) == (0, 1)


async def test_a_connection_is_kept_for_the_next_webhook() -> None:
    async with sinking() as sink, guarded(policy=DEMO) as targets:
        for _ in range(20):
            assert isinstance(await post(targets, sink.url), Answered)

    assert (sink.connects, len(sink.ledger)) == (1, 20)


async def test_a_target_that_comes_back_is_connected_to_again() -> None:
    async with sinking() as sink, guarded(policy=DEMO) as targets:
        before = await post(targets, sink.url)
        await sink.down()
        away = await post(targets, sink.url)
        await sink.up()
        after = await post(targets, sink.url)

    assert isinstance(before, Answered)
    assert isinstance(away, Failed)
    assert away.kind is TargetFailure.NOT_CONNECTED
    assert isinstance(after, Answered)


async def test_a_refused_url_is_a_failed_try_with_its_sentence() -> None:
    async with guarded() as targets:
        answer = await post(targets, "https://user@hooks.example.com/")

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.URL_REFUSED
    assert "no user name" in answer.detail


async def test_a_mistake_of_ours_is_raised() -> None:
    async with sinking() as sink, guarded(policy=DEMO) as targets:
        with pytest.raises(httpcore2.LocalProtocolError):
            await post(targets, sink.url, **{"webhook-id": "evt_1\r\nhost: elsewhere"})

    assert sink.ledger == []


async def test_the_name_is_what_tls_asks_for_and_the_address_is_what_is_dialled(tmp_path: Path) -> None:
    own, asked = certificates(tmp_path, name=NAME), []
    own.server.sni_callback = lambda _, name, __: asked.append(name)
    async with sinking(tls=own.server) as sink:
        here = Here(sink.port)
        async with guarded(resolve=Names(answers={NAME: [[PUBLIC]]}), dial=here, tls=own.trusting) as targets:
            answer = await post(targets)

    assert isinstance(answer, Answered)
    assert here.dialled == [(PUBLIC, 443)]
    assert asked == [NAME]
    assert sink.ledger[0].headers["host"] == NAME


@pytest.mark.parametrize(
    ("name", "days", "why"),
    [("other.example.com", 1, "Hostname mismatch"), (NAME, -1, "expired")],
)
async def test_a_wrong_certificate_is_a_failed_try_that_says_what_is_wrong(
    tmp_path: Path, name: str, days: int, why: str
) -> None:
    own = certificates(tmp_path, name=name, days=days)
    async with (
        sinking(tls=own.server) as sink,
        guarded(resolve=Names(answers={NAME: [[PUBLIC]]}), dial=Here(sink.port), tls=own.trusting) as targets,
    ):
        answer = await post(targets)

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.TLS_FAILED
    assert why in answer.detail
    assert sink.ledger == []


async def test_a_certificate_of_nobody_known_is_not_accepted(tmp_path: Path) -> None:
    own = certificates(tmp_path, name=NAME)
    async with (
        sinking(tls=own.server) as sink,
        guarded(resolve=Names(answers={NAME: [[PUBLIC]]}), dial=Here(sink.port)) as targets,
    ):
        answer = await post(targets)

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.TLS_FAILED
    assert sink.ledger == []


async def test_a_target_that_speaks_another_language_than_tls_is_a_failed_try() -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(speak, HOST, 0) as server:
        here, names = Here(server.sockets[0].getsockname()[1]), Names(answers={NAME: [[PUBLIC]]})
        async with guarded(resolve=names, dial=here) as targets:
            answer = await post(targets)

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.TLS_FAILED


async def test_a_target_that_never_answers_the_greeting_of_tls_is_a_failed_try_and_is_hung_up_on() -> None:
    names = Names(answers={NAME: [[PUBLIC]]})
    async with sinking() as sink, guarded(resolve=names, dial=Here(sink.port), limits=QUICK) as targets:
        answer = await post(targets)
        async with asyncio.timeout(10):
            await sink.left()

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.TIMED_OUT


async def test_two_names_on_one_address_share_no_connection(tmp_path: Path) -> None:
    own = certificates(tmp_path, name=NAME)
    names = Names(answers={NAME: [[PUBLIC]], "other.example.com": [[PUBLIC]]})
    async with (
        sinking(tls=own.server) as sink,
        guarded(resolve=names, dial=Here(sink.port), tls=own.trusting) as targets,
    ):
        mine, other = await post(targets), await post(targets, "https://other.example.com/")

    assert isinstance(mine, Answered)
    assert isinstance(other, Failed)
    assert other.kind is TargetFailure.TLS_FAILED


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    class FirstIsAway(Here):
        async def connect_tcp(self, host: str, *rest: Any, **more: Any) -> httpcore2.AsyncNetworkStream:
            if host == PUBLIC:
                self.dialled.append((host, 443))
                raise httpcore2.ConnectError
            return await super().connect_tcp(host, *rest, **more)

    async with sinking() as sink:
        here = FirstIsAway(sink.port)
        async with guarded(resolve=Names(answers={NAME: [[PUBLIC, "8.8.8.8"]]}), dial=here, limits=QUICK) as targets:
            await post(targets)

    assert [host for host, _ in here.dialled] == [PUBLIC, "8.8.8.8"]


async def test_a_name_without_an_address_and_a_resolver_that_hangs_are_failed_tries() -> None:
    async def hang(_: str) -> Sequence[Address]:
        await asyncio.Event().wait()
        raise AssertionError

    for resolve in (Names(answers={}), hang):
        async with guarded(resolve=resolve, limits=QUICK) as targets:
            answer = await post(targets)

        assert isinstance(answer, Failed)
        assert answer.kind is TargetFailure.NAME_NOT_FOUND


async def test_the_machine_s_resolver_is_asked_once_by_many_and_knows_what_is_no_name() -> None:
    resolver = SystemResolver()
    try:
        found = await asyncio.gather(*(resolver("localhost") for _ in range(50)))
        nothing = await resolver("no-such-name.invalid")
    finally:
        resolver.close()

    assert "127.0.0.1" in {str(address) for address in found[0]}
    assert len({id(each) for each in found}) == 1
    assert nothing == ()


async def test_a_closed_port_is_a_failed_try() -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    async with guarded(policy=DEMO) as targets:
        answer = await post(targets, f"http://{HOST}:{port}/")

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.NOT_CONNECTED


async def test_a_silent_target_does_not_hold_up_another() -> None:
    async with sinking(reply=sinks.SILENT) as silent, sinking() as well, guarded(policy=DEMO) as targets:
        waiting = [asyncio.ensure_future(post(targets, silent.url)) for _ in range(50)]
        answers = await asyncio.gather(*(post(targets, well.url) for _ in range(20)))
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(answer, Answered) for answer in answers)


async def test_when_all_connections_are_in_use_the_target_is_not_blamed() -> None:
    limits = TargetLimits(connections=1, connect_s=1.0)
    async with sinking(reply=sinks.SILENT) as silent, guarded(policy=DEMO, limits=limits) as targets:
        waiting = asyncio.ensure_future(post(targets, silent.url))
        async with asyncio.timeout(10):
            await silent.arrived(1)
        answer = await post(targets, silent.url)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert isinstance(answer, Failed)
    assert answer.kind is TargetFailure.NO_CONNECTION_FREE
