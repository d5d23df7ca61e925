"""One installation for drills: the processes of `make run`, several of each, every one to be killed by itself."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx2
from temporalio.client import Client

from bench.chaos.api_log import ApiClient, ApiLog
from bench.chaos.forked import Forks
from bench.chaos.inbox import Inbox
from bench.chaos.numbers import Numbers
from bench.chaos.outages import Outages
from bench.chaos.part import Part
from bench.chaos.places import Place, place_of
from bench.chaos.programs import Programs
from carriers.sandbox_control import SandboxControl
from cli.ports import free_port
from cli.waiting import temporal_answers, until
from domain.errors import DatabaseUnavailableError
from runtime.key_settings import key_encryption
from runtime.temporal import connect
from runtime.temporal_settings import PayloadEncryption
from security.keyring import KeyRing
from services.installation_keys import InstallationKeys
from services.keys import open_keys
from store.engine import Database
from store.migrate import migrate

_ACCOUNT = "ACME"
# Alembic's context is global to a process, and several installations may be started at once.
_one_migration = asyncio.Lock()
_APIS = 2
# The numbers of API processes beside those that always run.
SPARE = (2, 3)


class Installation:
    """Two API processes, a worker, the sandbox carriers, Temporal and a database, in a folder of their own.

    There are ports for two more API processes (`SPARE`), which a drill may start and must stop.
    """

    def __init__(self, home: Path, place: Place, *, programs: Programs, http: httpx2.AsyncClient, seed: int) -> None:
        self.home, self.place, self.programs = home, place, programs
        self.settings = programs.launch.settings
        self.database = Database(self.settings.database)
        self.keys: KeyRing
        self.control = SandboxControl(
            base_url=programs.sandbox_url, secret=programs.launch.sandbox_secret, client=http, timeout_s=10
        )
        self.inbox, self.numbers, self.outages = Inbox(self.control), Numbers(seed), Outages()
        self.log = ApiLog(home / "api.jsonl")
        # What evidence has opened and derived so far, for it looks at the same rows again and again.
        self.opened: dict[UUID, str] = {}
        self.codes: dict[tuple[UUID, int], str] = {}
        self._http = http
        self._ports = (self.settings.port, *(free_port() for _ in range(_APIS + len(SPARE) - 1)))
        self.temporal_client: Client
        self.client: ApiClient
        self.temporal = Part(programs.temporal(), answers=self._temporal_answers)
        self.sandbox = Part(programs.sandbox(), answers=self._sandbox_answers)
        self.apis = [self.api(number) for number in range(_APIS)]
        self.workers = [self.worker(0)]

    def api(self, number: int, *, clock_s: int = 0) -> Part:
        """Return an API process on the port of that number, not started."""
        port = self._ports[number]

        async def answers(_: str) -> bool:
            return await self._get(f"http://127.0.0.1:{port}/livez")

        return Part(self.programs.api(number, port=port, clock_s=clock_s), answers=answers)

    def worker(self, number: int, *, clock_s: int = 0) -> Part:
        """Return a worker, not started."""
        return Part(self.programs.worker(number, clock_s=clock_s), answers=_works)

    def port(self, number: int) -> int:
        """Return the port of the API process of that number."""
        return self._ports[number]

    @property
    def api_ports(self) -> tuple[int, ...]:
        """Return the ports of the API processes that always run."""
        return self._ports[:_APIS]

    @property
    def kind(self) -> str:
        """Return the database's name."""
        return self.place.kind

    async def start(self) -> None:
        """Start everything, and wait until all of it answers."""
        (self.home / "logs").mkdir()
        for part in (self.temporal, self.sandbox):
            await part.launch()
        key = await self._prepare_database()
        self.temporal_client = await connect(self.programs.launch.for_processes, keys=self.keys)
        for part in (*self.apis, *self.workers):
            await part.launch()
        for part in (self.temporal, self.sandbox, *self.apis, *self.workers):
            await part.ready()
        urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self.client = ApiClient(urls=urls, in_turn=_APIS, key=key, log=self.log)
        for url in urls[:_APIS]:
            await until(lambda url=url: self._get(f"{url}/readyz"), what="the API", within_s=30)  # type: ignore[misc]

    async def stop(self) -> None:
        """Stop everything that was started, and wait for its end."""
        parts = (*self.apis, *self.workers, self.sandbox, self.temporal)
        await asyncio.gather(*(part.kill() for part in parts))
        await self.inbox.close()
        if hasattr(self, "client"):
            await self.client.close()
        await self.database.close()
        self.log.close()

    async def database_answers(self) -> bool:
        """Say whether the database serves this process."""
        try:
            await self.database.ping()
        except DatabaseUnavailableError:
            return False
        return True

    async def _prepare_database(self) -> str:
        async with _one_migration:
            await migrate(self.database)
        self.keys = await open_keys(self.database, key_encryption(self.settings, may_make=True))
        return await InstallationKeys(database=self.database, keys=self.keys).sandbox_key(
            account=_ACCOUNT, requests_per_s=0
        )

    async def _temporal_answers(self, _: str) -> bool:
        return await temporal_answers(self.temporal_client)

    async def _sandbox_answers(self, _: str) -> bool:
        secret = self.programs.launch.sandbox_secret
        return await self._get(f"{self.programs.sandbox_url}/livez", headers={"Authorization": f"Bearer {secret}"})

    async def _get(self, url: str, *, headers: dict[str, str] | None = None) -> bool:
        try:
            return (await self._http.get(url, headers=headers, timeout=2)).is_success
        except httpx2.HTTPError:
            return False


async def _works(said: str) -> bool:
    # Its own word, since Temporal's list of pollers is that of one partition, and remembers the dead for minutes.
    return "worker_ready" in said


@asynccontextmanager
async def installation(
    kind: str, *, seed: int, forks: Forks | None = None, encryption: PayloadEncryption | None = None
) -> AsyncIterator[Installation]:
    """Yield a running installation on one kind of database; afterwards nothing of it is left.

    With `forks` its processes are forked from one that has imported everything (`forked.py`).
    """
    with tempfile.TemporaryDirectory(prefix="countersign-chaos-") as folder:
        home = Path(folder)
        place = place_of(kind, home)
        try:
            await place.open()
            programs = Programs.of(home, database_url=place.url, forks=forks, encryption=encryption)
            async with httpx2.AsyncClient(trust_env=False) as http:
                made = Installation(home, place, programs=programs, http=http, seed=seed)
                try:
                    await made.start()
                    yield made
                finally:
                    await made.stop()
        finally:
            await place.close()
