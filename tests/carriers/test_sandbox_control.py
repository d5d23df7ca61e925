"""The tools for the API say what went wrong in the product's own words."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from carriers.sandbox_control import SandboxControl
from domain.errors import InvalidRequestError, NotFoundError, SandboxUnavailableError
from domain.ids import attempt_id
from domain.sandbox import SandboxBehaviour
from tests.sandbox.serving import SECRET, RunningSandbox, a_message


async def test_the_outbox_holds_the_message_as_it_was_sent(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message(to="+447700900010", text="Dein Code: 42 \N{PARTY POPPER}")
    await sandbox.carrier(client, name="delta").submit(message)

    (sent,) = await sandbox.control(client).messages("+447700900010")

    assert (sent.to, sent.text, sent.sender, sent.carrier) == (message.to, message.text, message.sender, "delta")
    assert sent.attempt_id == attempt_id(message.attempt_id)
    assert sent.sent_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - sent.sent_at) < timedelta(seconds=10)
    assert message.text not in repr(sent)


async def test_messages_come_newest_last_and_by_number(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    control, carrier = sandbox.control(client), sandbox.carrier(client)
    for number in ("+447700900011", "+447700900012", "+447700900011"):
        await carrier.submit(a_message(to=number, text=f"to {number}"))

    everyone = await control.messages(None)

    assert [message.to for message in everyone[-3:]] == ["+447700900011", "+447700900012", "+447700900011"]
    assert len(await control.messages("+447700900011")) == 2
    assert await control.messages("+447700900013") == []


@pytest.mark.parametrize("name", ["zulu", "..", "../messages", "a/b", "?to=x", "zulü"])
async def test_an_unknown_carrier_is_not_found(
    name: str,
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    control = sandbox.control(client)

    with pytest.raises(NotFoundError):
        await control.set_behaviour(name, behaviour=SandboxBehaviour.ACCEPT)
    with pytest.raises(NotFoundError):
        await control.reset(name)


async def test_the_sentence_names_the_carriers_there_are(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    with pytest.raises(NotFoundError, match="alpha, bravo, charlie, delta"):
        await sandbox.control(client).reset("zulu")


async def test_a_value_out_of_bounds_is_named(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    with pytest.raises(InvalidRequestError, match=re.compile("latency_ms: .*60000")):
        await sandbox.control(client).set_behaviour("alpha", behaviour=SandboxBehaviour.ACCEPT, latency_ms=60_001)


async def test_a_sandbox_that_is_away_is_unavailable(
    client: httpx2.AsyncClient,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    control = SandboxControl(base_url=url, secret=SECRET, client=client)

    with pytest.raises(SandboxUnavailableError):
        await control.messages(None)


async def test_another_secret_is_said_to_be_the_reason(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    control = SandboxControl(base_url=sandbox.url, secret="another", client=client)

    with pytest.raises(SandboxUnavailableError, match="another secret"):
        await control.behaviours()


async def test_a_stranger_at_the_address_is_unavailable() -> None:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, json={"messages": [{"to": 1}]}))

    async with httpx2.AsyncClient(transport=transport) as stranger:
        control = SandboxControl(base_url="http://stranger.test", secret=SECRET, client=stranger)
        with pytest.raises(SandboxUnavailableError):
            await control.messages(None)
