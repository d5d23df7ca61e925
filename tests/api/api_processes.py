"""API processes as they are in production: uvicorn, the application from the environment, a database they share."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from cli.ports import free_port
from tests.architecture.code_rules import ROOT
from tests.keys import MASTER_KEY

_READY_S = 60.0


@asynccontextmanager
async def api_process(home: Path, *, database_url: str, **told: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Run one API process over a migrated database, without Temporal; yield a client of it."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_DATABASE_URL": database_url,
        "COUNTERSIGN_MASTER_KEY": MASTER_KEY,
        # Nothing listens there, and nothing of what is asked needs it.
        "COUNTERSIGN_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        **told,
    }
    options = ["--port", str(port), "--no-proxy-headers", "--no-access-log", "--log-level", "warning"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", "--factory", "api.main:create", *options, cwd=home, env=environment
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            await _until_it_answers(client, process)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_it_answers(client: httpx2.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_READY_S):
        while True:
            assert process.returncode is None, "the API process ended"
            try:
                if (await client.get("/livez")).is_success:
                    return
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
