"""Fixtures of the sandbox and the carrier tests: a receiver and a sandbox per module; no orders at a test's start."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tests.sandbox.serving import Receiver, RunningSandbox, running_receiver, running_sandbox


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def sandbox(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "sandbox.db", receipt_url=receiver.url) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, verify=False) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def no_orders(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    for carrier in ("alpha", "bravo", "charlie", "delta"):
        await sandbox.control(client).reset(carrier)
