"""`python -m api.serve` as a process: what it refuses to start with, several processes on one socket, and its end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.ports import free_port
from store.engine import Database
from store.migrate import migrate
from tests.api.certificates import trusting_anyone, write
from tests.api.wire import connect, get, post, tell
from tests.architecture.code_rules import ROOT
from tests.building import settings as settings_of
from tests.keys import MASTER_KEY

COMMAND = [sys.executable, "-m", "api.serve"]
PATIENCE_S = 60.0


def environment(home: Path, **settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    return {
        **clean,
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_MASTER_KEY": MASTER_KEY,
        "PYTHONPATH": str(ROOT),
        **settings,
    }


def refusal(home: Path, **settings: str) -> str:
    """Return what a process says that does not start."""
    done = subprocess.run(
        COMMAND, env=environment(home, **settings), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def process(home: Path, *, port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run an API process until the block ends."""
    told = environment(home, COUNTERSIGN_PORT=str(port), **settings)
    with subprocess.Popen(COMMAND, env=told) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait(timeout=PATIENCE_S)


async def prepared(home: Path) -> Path:
    """Return a state directory with a database that is ready."""
    database = Database(settings_of(home).database)
    await migrate(database)
    await database.close()
    return home


async def until_it_answers(running: subprocess.Popen[bytes], url: str, *, is_secure: bool = False) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and running.poll() is None:
        try:
            told = await tell(url, get("/livez", b"Connection: close"), tls=trusting_anyone() if is_secure else None)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        assert told.status == 200
        return
    raise AssertionError(f"{url} did not answer")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "api.example.com"])
def test_an_address_that_others_reach_is_not_served_in_clear(tmp_path: Path, host: str) -> None:
    said = refusal(tmp_path, COUNTERSIGN_HOST=host)

    for name in ("COUNTERSIGN_HOST", "COUNTERSIGN_TLS_CERT_FILE", "COUNTERSIGN_ALLOW_PLAINTEXT"):
        assert name in said


def test_a_certificate_without_its_key_is_refused_with_a_sentence(tmp_path: Path) -> None:
    told = write(tmp_path, name="localhost")

    alone = refusal(tmp_path, COUNTERSIGN_TLS_CERT_FILE=str(told.cert_file))
    missing = refusal(
        tmp_path, COUNTERSIGN_TLS_CERT_FILE=str(told.cert_file), COUNTERSIGN_TLS_KEY_FILE=str(tmp_path / "none.pem")
    )

    assert "COUNTERSIGN_TLS_KEY_FILE" in alone
    assert "none.pem cannot be read" in missing


async def test_several_processes_serve_tls_on_one_socket_and_end_with_their_parent(tmp_path: Path) -> None:
    told, port = write(tmp_path, name="localhost"), free_port()
    settings = {
        "COUNTERSIGN_HOST": "0.0.0.0",
        "COUNTERSIGN_TLS_CERT_FILE": str(told.cert_file),
        "COUNTERSIGN_TLS_KEY_FILE": str(told.key_file),
        "COUNTERSIGN_API_PROCESSES": "2",
        "COUNTERSIGN_API_RATE": "0",
    }
    with process(await prepared(tmp_path), port=port, **settings) as running:
        await until_it_answers(running, f"http://127.0.0.1:{port}", is_secure=True)
        children = psutil.Process(running.pid).children(recursive=True)
        running.terminate()
        running.wait(timeout=PATIENCE_S)
        _, left = psutil.wait_procs(children, timeout=PATIENCE_S)

    assert len(children) >= 2
    assert left == []


async def test_a_drain_finishes_what_is_under_way_and_closes_what_waits(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(await prepared(tmp_path), port=port) as running:
        await until_it_answers(running, url)
        reader, writer = await connect(url)
        writer.write(get())
        await reader.readuntil(b"}")
        hearing, telling = await connect(url)
        telling.write(post("/receipts/nobody", b"Content-Length: 2", b"Expect: 100-continue"))
        asked_to_go_on = await hearing.readuntil(b"\r\n\r\n")
        running.send_signal(signal.SIGTERM)
        idle_ended = await reader.read()
        telling.write(b"{}")
        told = await hearing.read()
        code = await asyncio.to_thread(running.wait, PATIENCE_S)
        writer.close()
        telling.close()

    assert (asked_to_go_on, idle_ended) == (b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert told.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in told
    assert code in {0, -signal.SIGTERM}
