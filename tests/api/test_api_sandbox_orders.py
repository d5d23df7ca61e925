"""Orders to sandbox carriers over HTTP: each account has its own."""

from collections.abc import Iterator

import pytest

from tests.api.serving import Server, calling, running_api
from tests.sandbox.serving import SECRET, running_sandbox

ALPHA = "/v1/sandbox/carriers/alpha"


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("orders")
    with (
        running_sandbox(home / "sandbox.db", receipt_url="http://127.0.0.1:9/receipts") as sandbox,
        running_api(home, sandbox_url=sandbox.url, sandbox_secret=SECRET) as server,
    ):
        yield server


async def test_an_account_neither_sees_nor_takes_back_what_another_ordered(scripted: Server) -> None:
    async with calling(scripted) as mine, calling(scripted) as other:
        usual = (await other.client.get("/v1/sandbox/carriers")).json()
        for order in ({"behaviour": "refuse"}, {"behaviour": "throttle", "to": "+447700900001"}):
            assert (await mine.client.put(ALPHA, json=order)).status_code == 200
        ordered = (await mine.client.get("/v1/sandbox/carriers")).json()

        assert (await other.client.get("/v1/sandbox/carriers")).json() == usual
        assert (await other.client.delete(ALPHA)).status_code == 204
        assert (await mine.client.get("/v1/sandbox/carriers")).json() == ordered != usual

        assert (await mine.client.delete(ALPHA)).status_code == 204
        assert (await mine.client.get("/v1/sandbox/carriers")).json() == usual
