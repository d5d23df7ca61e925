"""The sink does to webhooks what it is told to, and its ledger has all that came."""

import asyncio
import time

import httpx2
import pytest

from bench.webhooks.posts import main
from bench.webhooks.sink import BROKEN, CUT, DRIPPING, GONE, OK, SILENT, Reply, Sink, redirect, sinking, throttled


async def post(sink: Sink, path: str = "/", *, webhook: str = "evt_1") -> httpx2.Response:
    """Post once, with a client that keeps nothing."""
    async with httpx2.AsyncClient(trust_env=False, timeout=0.5) as client:
        return await client.post(sink.url + path, content=b"{}", headers={"webhook-id": webhook})


@pytest.mark.parametrize(
    ("reply", "status"),
    [(OK, 200), (BROKEN, 500), (GONE, 410), (redirect("/elsewhere"), 302), (throttled(retry_after="7"), 429)],
)
async def test_it_answers_as_told_and_writes_down_what_it_answered(reply: Reply, status: int) -> None:
    async with sinking(reply=reply) as sink:
        answer = await post(sink)

    (received,) = sink.ledger
    assert answer.status_code == received.answered == status
    assert all(answer.headers[name] == value for name, value in reply.headers)
    assert (received.id, received.path, received.body) == ("evt_1", "/", b"{}")


async def test_each_path_may_be_told_something_else() -> None:
    async with sinking() as sink:
        sink.replies["/broken"] = BROKEN
        statuses = [(await post(sink, path)).status_code for path in ("/", "/broken", "/")]
        sink.reply = GONE
        statuses.append((await post(sink)).status_code)

    assert statuses == [200, 500, 200, 410]


@pytest.mark.parametrize("reply", [SILENT, DRIPPING])
async def test_a_webhook_that_gets_no_answer_in_time_is_in_the_ledger_all_the_same(reply: Reply) -> None:
    async with sinking(reply=reply) as sink:
        with pytest.raises(httpx2.ReadTimeout):
            await post(sink)
        async with asyncio.timeout(10):
            await sink.left()

    assert [received.id for received in sink.ledger] == ["evt_1"]


async def test_a_cut_connection_has_no_answer() -> None:
    async with sinking(reply=CUT) as sink:
        with pytest.raises(httpx2.RemoteProtocolError):
            await post(sink)

    assert [received.answered for received in sink.ledger] == [None]


async def test_a_dripping_answer_comes_byte_by_byte_and_is_whole_in_the_end() -> None:
    async with sinking(reply=Reply(body=b"ok", drip_s=0.002)) as sink:
        began = time.monotonic()
        answer = await post(sink)

    assert answer.content == b"ok"
    assert time.monotonic() - began >= 0.002 * len(sink.reply.encoded()[:-1])


async def test_down_it_takes_no_connection_and_up_again_it_is_where_it_was() -> None:
    async with sinking() as sink:
        before = sink.url
        await post(sink, webhook="evt_1")
        await sink.down()
        with pytest.raises(httpx2.ConnectError):
            await post(sink, webhook="evt_2")
        await sink.up()
        await post(sink, webhook="evt_3")

    assert sink.url == before
    assert [received.id for received in sink.ledger] == ["evt_1", "evt_3"]


async def test_the_tries_of_one_webhook_stand_together_in_their_order() -> None:
    async with sinking(reply=BROKEN) as sink:
        await post(sink, webhook="evt_1")
        await post(sink, webhook="evt_2")
        sink.reply = OK
        await post(sink, webhook="evt_1")
        async with asyncio.timeout(10):
            await sink.arrived(3)

    told = {webhook: [each.answered for each in tries] for webhook, tries in sink.tries().items()}
    assert told == {"evt_1": [500, 200], "evt_2": [500]}


def test_the_measurement_runs_and_prints_both_ways_beside_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["posts", "--count", "16", "--concurrency", "4"])

    main()

    told = capsys.readouterr().out
    assert told.count("posts/s") == 4
    assert "guarded, connection kept" in told
