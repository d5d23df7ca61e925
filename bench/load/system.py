"""The system under test, as its users run it: Temporal, database, API and worker, and beside them the bare floor.

Everything lives in one temporary folder, listens on loopback only, and ends with the bench.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from temporalio.client import Client

from bench.load.driver import Target
from bench.load.floor_front import CHECKS
from bench.postgres import Cluster
from cli.launch import Launch
from cli.ports import free_port
from cli.processes import Child
from cli.settings import LaunchSettings
from cli.waiting import api_is_ready, temporal_answers, until, workers_poll
from runtime.key_settings import key_encryption
from runtime.secrets_file import own_secret
from runtime.settings import ROOT, Settings
from runtime.temporal import connect
from security.keyring import KeyRing
from services.installation_keys import InstallationKeys
from services.keys import open_keys
from store.engine import Database
from store.migrate import migrate

_READY_S = 60.0
_ROUTES = ROOT / "bench" / "null_routes.json"


@dataclass(slots=True, kw_only=True)
class System:
    """Where everything is, and which processes its parts are."""

    api: Target
    floor: Target
    home: Path
    database: Database
    client: Client
    pids: dict[str, int]
    keys: KeyRing
    children: list[Child] = field(default_factory=list)

    @property
    def floor_count_file(self) -> Path:
        """Return the file into which the floor's worker writes how many activities it has done."""
        return self.home / "floor.count"

    def ensure_alive(self) -> None:
        """Raise `RuntimeError` when a process is gone: what was measured means nothing then."""
        for child in self.children:
            if child.pid is None:
                raise RuntimeError(f"{child.name} is gone:\n{child.last_words()}")


@asynccontextmanager
async def running(
    database: str, *, api_processes: int, with_floor: bool = True, routes: Path = _ROUTES
) -> AsyncIterator[System]:
    """Run the product on a database of its own (`sqlite` or `postgresql`), and the floor beside it."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="countersign-bench-")))
        (home / "logs").mkdir()
        pids: dict[str, int] = {}
        url = f"sqlite+aiosqlite:///{home / 'countersign.db'}"
        if database == "postgresql":
            cluster = stack.enter_context(Cluster(durable=True))
            cluster.create_database("bench")
            url, pids["database"] = cluster.url("bench"), cluster.pid or 0
        launch = _launch(home, url, api_processes, routes)
        door = Database(url, pool_size=5)
        stack.push_async_callback(door.close)
        await migrate(door)
        keys = await open_keys(door, key_encryption(launch.settings, may_make=True))
        system = System(
            api=Target(launch.settings.port),
            floor=Target(free_port()),
            home=home,
            database=door,
            client=await connect(launch.for_processes, keys=keys),
            keys=keys,
            pids=pids,
        )
        stack.push_async_callback(_stop, system)
        await _start(system, launch, url, with_floor=with_floor)
        yield system


def _launch(home: Path, url: str, api_processes: int, routes: Path) -> Launch:
    settings = Settings(
        home=home,
        port=free_port(),
        database_url=url,
        routes_file=routes,
        # The bench's key has no request rate; several processes must not have one that they cannot share.
        api_rate=10 if api_processes == 1 else 0,
        api_processes=api_processes,
    )
    own = LaunchSettings(temporal_port=free_port(), temporal_ui_port=free_port())
    return Launch(
        settings=settings,
        own=own,
        home=home,
        sandbox_port=free_port(),
        sandbox_secret=own_secret(home, "sandbox.secret"),
    )


async def _start(system: System, launch: Launch, url: str, *, with_floor: bool) -> None:
    told = {
        "COUNTERSIGN_DATABASE_URL": url,
        "COUNTERSIGN_ROUTES_FILE": str(launch.settings.routes_file),
        "COUNTERSIGN_API_PROCESSES": str(launch.settings.api_processes),
        "COUNTERSIGN_API_RATE": str(launch.settings.api_rate),
        "FLOOR_DATABASE_URL": url,
        "FLOOR_COUNT_FILE": str(system.floor_count_file),
    }
    await _add(system, launch.temporal(), told)
    key = await InstallationKeys(database=system.database, keys=system.keys).demo_key(
        account="Bench", key=None, requests_per_s=0
    )
    system.api = Target(system.api.port, {"Authorization": f"Bearer {key}"})
    async with system.database.engine.begin() as connection:
        await connection.run_sync(CHECKS.metadata.create_all)
    await until(lambda: temporal_answers(system.client), what="Temporal", within_s=_READY_S)
    await _add(system, launch.api_server(), told)
    await _add(system, launch.worker(), told)
    if with_floor:
        await _add(system, _floor_front(launch, system.floor.port), told)
        await _add(system, _floor_worker(launch), told)
    async with httpx2.AsyncClient(base_url=launch.api, trust_env=False, timeout=5) as http:
        await until(lambda: api_is_ready(http), what="The API", within_s=_READY_S)
        await until(lambda: workers_poll(system.client), what="The worker", within_s=_READY_S)
    if with_floor:
        await until(lambda: _floor_answers(system), what="The floor", within_s=_READY_S)


async def _add(system: System, child: Child, told: dict[str, str]) -> None:
    child.environment = {**child.environment, **told}
    await child.start()
    system.children.append(child)
    system.pids[child.name] = child.pid or 0


async def _stop(system: System) -> None:
    for child in reversed(system.children):
        await child.stop()


def _floor_front(launch: Launch, port: int) -> Child:
    """Return the floor's front, served as the API is."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "--factory", "bench.load.floor_front:create", *options]
    return _beside(launch, "floor front", command)


def _floor_worker(launch: Launch) -> Child:
    return _beside(launch, "floor worker", [sys.executable, "-m", "bench.load.floor_worker"])


def _beside(launch: Launch, name: str, command: list[str]) -> Child:
    return replace(launch.worker(), name=name, command=command, log=launch.home / "logs" / f"{name}.log")


async def _floor_answers(system: System) -> bool:
    """Say whether the floor's worker polls and its front listens."""
    if not system.floor_count_file.exists():
        return False
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{system.floor.port}", trust_env=False) as http:
        try:
            return (await http.get("/")).status_code > 0
        except httpx2.HTTPError:
            return False
