"""What the adapter makes of a carrier that is away, silent, broken or speaks in codes it does not know."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
from structlog.testing import capture_logs

from carriers.protocol import Answer, Carrier
from carriers.sandbox import SandboxCarrier
from domain.statuses import FailureClass, SubmissionStatus
from tests.sandbox.serving import SECRET, RunningSandbox, a_message, in_the_ledger

_: type[Carrier] = SandboxCarrier

SILENCE = None


@dataclass(kw_only=True)
class ScriptedCarrier:
    """Reads one request per connection, answers raw bytes (or nothing) and hangs up."""

    answer: bytes | None
    port: int = 0
    requests: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self.answer is SILENCE:
            await reader.read()
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[ScriptedCarrier]:
    scripted = ScriptedCarrier(answer=answer)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    async with server:
        yield scripted


def http(status: int, body: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()


def adapter(client: httpx2.AsyncClient, *, port: int) -> SandboxCarrier:
    url = f"http://127.0.0.1:{port}"
    return SandboxCarrier(name="alpha", base_url=url, secret=SECRET, client=client, timeout_s=0.2)


def unknown(code: str) -> Answer:
    return Answer(status=SubmissionStatus.UNKNOWN, failure_class=FailureClass.UNKNOWN, carrier_code=code)


def rejected(code: str) -> Answer:
    return Answer(
        status=SubmissionStatus.REJECTED,
        failure_class=FailureClass.ROUTE_TEMPORARY,
        carrier_code=code,
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (http(202, '{"id": "msg_1"}'), Answer(status=SubmissionStatus.ACCEPTED, carrier_message_id="msg_1")),
        (http(202, "thanks"), unknown("unreadable")),
        (http(202, '{"id": 7}'), unknown("unreadable")),
        (http(202, "[" * 50_000), unknown("unreadable")),
        (http(200, "{}"), unknown("unreadable")),
        (http(503, '{"code": "unreachable"}'), rejected("unreachable")),
        (http(503, "<h1>away</h1>"), unknown("http_503")),
        (http(500, ""), unknown("http_500")),
        (http(504, '{"code": "no_answer"}'), unknown("no_answer")),
        (http(400, '{"code": "novel"}'), rejected("novel")),
        (http(404, ""), rejected("http_404")),
        (http(307, ""), rejected("http_307")),
        (http(400, '{"code": "' + "x" * 500 + '"}'), rejected("x" * 64)),
        (b"", unknown("connection_lost")),
        (b"HTTP/1.1 202 Accep", unknown("connection_lost")),
        (b"not http\r\n\r\n", unknown("connection_lost")),
        (SILENCE, unknown("timeout")),
    ],
)
async def test_an_answer_is_classified_and_asked_for_once(
    raw: bytes | None,
    expected: Answer,
    client: httpx2.AsyncClient,
) -> None:
    async with answering(raw) as scripted:
        answer = await adapter(client, port=scripted.port).submit(a_message())

    assert answer == expected
    assert scripted.requests == 1


async def test_a_carrier_that_is_away_was_asked_nothing(
    client: httpx2.AsyncClient,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    answer = await adapter(client, port=unused_tcp_port_factory()).submit(a_message())

    assert answer == rejected("unreachable")


async def test_a_request_that_found_no_connection_was_not_sent(sandbox: RunningSandbox) -> None:
    async with httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_connections=1)) as narrow:
        carrier = sandbox.carrier(narrow, timeout_s=0.2)
        patient = sandbox.carrier(narrow, timeout_s=5)
        hanging = a_message(to="+447700900096")
        waiting = asyncio.create_task(patient.submit(hanging))
        async with httpx2.AsyncClient(trust_env=False) as other:
            await in_the_ledger(hanging, control=sandbox.control(other))

        answer = await carrier.submit(a_message())
        waiting.cancel()

    assert answer == rejected("no_connection_free")


async def test_a_code_that_is_not_in_the_table_is_reported_once(client: httpx2.AsyncClient) -> None:
    async with answering(http(400, '{"code": "novel"}')) as scripted:
        carrier = adapter(client, port=scripted.port)
        with capture_logs() as logs:
            for _ in range(3):
                await carrier.submit(a_message())

    assert [(entry["log_level"], entry["carrier_code"]) for entry in logs] == [("warning", "novel")]


async def test_no_number_and_no_code_is_logged_or_shown(client: httpx2.AsyncClient) -> None:
    message = a_message(text="Your code is 918273")
    async with answering(http(400, '{"code": "novel"}')) as scripted:
        with capture_logs() as logs:
            await adapter(client, port=scripted.port).submit(message)

    for shown in (repr(logs), repr(message)):
        assert "918273" not in shown
        assert message.to not in shown
