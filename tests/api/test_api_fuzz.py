"""Schemathesis over the whole API: whatever the document allows, and much that it does not; nothing is found.

With its checks of access on: no operation that the document guards answers without its credential or with a wrong one.
The seed is fixed; `make fuzz` tries more. Of the checks one is off: `positive_data_acceptance`, because the document
cannot say which texts are numbers, networks, cursors or codes.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import uvicorn
from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from domain.access import EVERY_SCOPE
from tests.api.operations import STREAMS
from tests.api.serving import calling, running_api
from tests.sandbox.serving import SECRET, running_sandbox, serving

EXAMPLES, SEED = os.environ.get("FUZZ_EXAMPLES", "1"), os.environ.get("FUZZ_SEED", "1")
_TOOL = Path(sys.executable).with_name("st")
# Found by their ids in earlier answers, these would end the very key that all of this is asked with. Tried last.
ENDING = ("change_account", "change_key", "rotate_key", "revoke_key")


def _only(names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in ("--include-operation-id", name)]


def _all_but(names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in ("--exclude-operation-id", name)]


@pytest.mark.timeout(1_800 if "FUZZ_EXAMPLES" in os.environ else 120)
@pytest.mark.parametrize("which", [_all_but((*ENDING, *STREAMS)), _only(ENDING)], ids=["most", "those that end keys"])
async def test_nothing_is_found(tmp_path: Path, which: list[str]) -> None:
    with (
        running_sandbox(tmp_path / "sandbox.db", receipt_url="http://127.0.0.1:9/receipts") as sandbox,
        running_api(tmp_path, sandbox_url=sandbox.url, sandbox_secret=SECRET) as server,
    ):
        async with calling(server, scopes=EVERY_SCOPE) as api:
            command = [
                *(str(_TOOL), "run", f"{server.url}/openapi.json"),
                *("--header", f"Authorization: Bearer {api.key}"),
                *("--max-examples", EXAMPLES, "--seed", SEED, "--no-color"),
                *("--phases", "examples,coverage,fuzzing", "--exclude-checks", "positive_data_acceptance"),
                *which,
            ]
            status, told = await _told(command, tmp_path)

    assert status == 0, told
    assert "Tested: " in told


async def test_a_route_that_answers_whoever_calls_is_found(tmp_path: Path) -> None:
    """The look at access would notice: here the document asks for a credential, and the route does not."""
    app = FastAPI()

    @app.get("/open", dependencies=[Depends(HTTPBearer(auto_error=False))])
    async def open_to_all() -> str:
        return "anybody"

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none")
    with serving(uvicorn.Server(config)) as url:
        status, told = await _told(
            [str(_TOOL), "run", f"{url}/openapi.json", "--header", "Authorization: Bearer x", "--no-color"], tmp_path
        )

    assert status == 1
    assert "API accepts" in told or "authentication" in told.lower()


async def _told(command: list[str], home: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    return process.returncode, told.decode()
