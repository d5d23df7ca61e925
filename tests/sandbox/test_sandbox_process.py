"""The sandbox as a process: it starts from its environment, lets go when told, and forgets."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from carriers.sandbox import SandboxCarrier
from carriers.sandbox_control import SandboxControl
from domain.sandbox import SandboxBehaviour
from domain.statuses import SubmissionStatus
from sandbox.database import KEEP_S
from sandbox.main import server_of
from tests.sandbox.serving import SECRET, RunningSandbox, a_message, eventually, in_the_ledger, running_sandbox

ROOT = Path(__file__).parents[2]


def an_environment(file: Path, *, port: int) -> dict[str, str]:
    return {
        "COUNTERSIGN_SANDBOX_FILE": str(file),
        "COUNTERSIGN_SANDBOX_SECRET": SECRET,
        "COUNTERSIGN_RECEIPT_URL": "http://127.0.0.1:9/receipts",
        "COUNTERSIGN_SANDBOX_PORT": str(port),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "sandbox.main"]
    with subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def alive(client: httpx2.AsyncClient, *, url: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                response = await client.get(f"{url}/livez", headers={"authorization": f"Bearer {SECRET}"})
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
            else:
                assert response.status_code == 200
                return


async def test_a_terminated_process_lets_go_of_those_it_keeps_waiting(
    tmp_path: Path,
    client: httpx2.AsyncClient,
) -> None:
    port = free_port()
    url, file = f"http://127.0.0.1:{port}", tmp_path / "new" / "sandbox.db"
    with started(an_environment(file, port=port)) as process:
        await alive(client, url=url)
        message, control = a_message(to="+447700900096"), SandboxControl(base_url=url, secret=SECRET, client=client)
        alpha = SandboxCarrier(name="alpha", base_url=url, secret=SECRET, client=client, timeout_s=20)
        hanging = asyncio.create_task(alpha.submit(message))
        await in_the_ledger(message, control=control)

        terminated_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: process.poll() is not None)

        assert time.monotonic() - terminated_at < 2
        assert (await hanging).status is SubmissionStatus.UNKNOWN
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert file.stat().st_mode & 0o077 == 0


async def test_a_carrier_stops_hanging_when_its_client_leaves(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    await sandbox.carrier(client, timeout_s=0.1).submit(a_message(to="+447700900096"))

    await eventually(lambda: not sandbox.server.server_state.tasks, within_s=2)


async def test_everything_is_forgotten_after_an_hour(tmp_path: Path, client: httpx2.AsyncClient) -> None:
    file = tmp_path / "sandbox.db"
    with running_sandbox(file, receipt_url="http://127.0.0.1:9/receipts") as sandbox:
        control = sandbox.control(client)
        await sandbox.carrier(client).submit(a_message(to="+447700900087"))
        await control.set_behaviour("alpha", behaviour=SandboxBehaviour.REFUSE)
        assert len(await control.messages(None)) == len(await control.ledger()) == len(await control.behaviours()) == 1

        sandbox.clock.ahead_s = KEEP_S
        answer = await sandbox.carrier(client).submit(a_message(to="+447700900006"))
        entries, messages = await control.ledger(), await control.messages(None)

        assert answer.status is SubmissionStatus.ACCEPTED
        assert [entry.to for entry in entries] == [message.to for message in messages] == ["+447700900006"]
        assert await control.behaviours() == []
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM message").fetchone() == (1,)


@pytest.mark.parametrize("name", ["COUNTERSIGN_SANDBOX_SECRET", "COUNTERSIGN_RECEIPT_URL"])
def test_a_missing_setting_is_named(name: str, tmp_path: Path) -> None:
    environment = an_environment(tmp_path / "sandbox.db", port=1) | {name: ""}

    with pytest.raises(ValueError, match=name):
        server_of(environment)


def test_a_port_must_be_a_number(tmp_path: Path) -> None:
    environment = an_environment(tmp_path / "sandbox.db", port=1) | {"COUNTERSIGN_SANDBOX_PORT": "http"}

    with pytest.raises(ValueError, match="COUNTERSIGN_SANDBOX_PORT"):
        server_of(environment)
