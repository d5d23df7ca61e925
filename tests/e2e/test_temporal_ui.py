"""The real Temporal UI in a real browser shows sealed payloads to whom the API opens them, and to nobody else.

The browser asks first (CORS), as it does for an operator. What stands between it and the API is a door of the test that
adds a login to each request: a page sends no key.
"""

import asyncio
import shutil
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from sys import executable
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment

from cli.ports import free_port
from domain.access import USUAL_SCOPES, Scope
from runtime.settings import Settings
from runtime.temporal import converter
from store.audit_tables import AuditRow
from store.tables import table_of
from tests.api.serving import Server, calling, running_api
from tests.building import KEYS
from tests.workflows.fakes import FakeActivities
from tests.workflows.running import running
from workflows.attributes import ALL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60
_audit = table_of(AuditRow)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


class Door(ThreadingHTTPServer):
    """Passes `/codec` on to an API with a key; keeps which methods came."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Passing)
        self.api = self.key = ""
        self.came: list[str] = []


class _Passing(BaseHTTPRequestHandler):
    server: Door

    def _pass(self) -> None:
        self.server.came.append(self.command)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        if self.command == "POST":
            headers["Authorization"] = f"Bearer {self.server.key}"
        request = urllib.request.Request(f"{self.server.api}{self.path}", body, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except HTTPError as refused:
            answer = refused
        with answer:
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_POST = do_OPTIONS = _pass  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def a_door() -> Iterator[Door]:
    door = Door(0)
    thread = Thread(target=door.serve_forever)
    thread.start()
    try:
        yield door
    finally:
        door.shutdown()
        thread.join()
        door.server_close()


@asynccontextmanager
async def temporal(door: Door, *, ui_port: int) -> AsyncIterator[WorkflowEnvironment]:
    endpoint = f"http://127.0.0.1:{door.server_port}/codec"
    sealed = Settings.model_validate({"payload_encryption": "strict"})
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(executable).with_name("temporal")),
        dev_server_extra_args=["--ui-port", str(ui_port), "--ui-codec-endpoint", endpoint],
        ui=True,
        data_converter=converter(sealed, KEYS),
        search_attributes=ALL,
    ) as environment:
        yield environment


async def page(url: str, profile: Path) -> str:
    """Return a page as it is once its scripts have done what they do."""
    assert CHROMIUM is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *options,
        "--virtual-time-budget=20000",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await asyncio.wait_for(browser.communicate(), timeout=PATIENCE_S)
    return said.decode()


async def decodings(server: Server, key_id: str) -> list[str | None]:
    mine = (_audit.c.action == "codec.decoded") & (_audit.c.actor == f"key:{key_id}")
    async with calling(server) as api, api.database.reading() as connection:
        return list((await connection.execute(select(_audit.c.subject).where(mine))).scalars())


async def test_the_ui_shows_payloads_to_whom_they_are_opened_and_to_nobody_else(tmp_path: Path) -> None:
    ui_port = free_port()
    origin = f"http://127.0.0.1:{ui_port}"
    with a_door() as door, running_api(tmp_path, temporal_ui_origin=origin) as server:
        door.api = server.url
        async with (
            temporal(door, ui_port=ui_port) as environment,
            running(environment, FakeActivities()) as verification,
        ):
            await verification.ended()
            await verification.handle.result()
            url = f"{origin}/namespaces/default/workflows/{quote(verification.handle.id, safe='')}"
            async with calling(server, scopes=USUAL_SCOPES | {Scope.ACCOUNTS}) as operator:
                door.key = operator.key
                opened = await page(url, tmp_path / "one")
            async with calling(server, scopes=USUAL_SCOPES | {Scope.ADMIN}) as other:
                door.key = other.key
                closed = await page(url, tmp_path / "two")
            workflow = verification.handle.id

    assert [word for word in ("lifetime_s", "as_told") if word not in opened] == []
    assert {"OPTIONS", "POST"} == set(door.came)
    assert "VerificationWorkflow" in closed
    assert [word for word in ("lifetime_s", "as_told") if word in closed] == []
    assert set(await decodings(server, operator.caller.key_id)) == {workflow}
    assert await decodings(server, other.caller.key_id) == []
