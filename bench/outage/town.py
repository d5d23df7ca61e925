"""The running product: API on a socket, workflows on Temporal, workers, the loops that learn and that hold leases.

Two things are not as in production: the clock (`virtual.py`), and the Schedule that has pools judged, which Temporal's
test server does not have: in its place the drill starts that workflow, by the clock and when there is news.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from temporalio.client import Client

from api.app import create_app
from api.main import parts_of
from api.parts import Parts
from api.ways import Ways
from bench.outage.calm import Calm
from bench.outage.carriers import SECRET, Carriers
from bench.outage.numbers import COUNTRY, REGION, an_account, fill
from bench.outage.serving import served
from bench.outage.skipping import SkippedTime, skipped_time
from bench.outage.virtual import Clock, VirtualLoop
from bench.outage.workers import workers
from bench.outage.world import ROUTES
from domain.messages import VERIFICATION_QUEUE
from runtime.logs import configure_logs
from runtime.settings import Settings
from runtime.setup import carrier_client
from runtime.temporal import connect
from security.key_encryption import KeyEncryptions, LocalKey
from security.keyring import KeyRing
from services.keys import open_keys
from services.lease_keeping import LeaseKeeper
from services.number_workflows import NumberLeaseWorkflows
from services.pool_judging import PoolJudges
from services.route_learning import RouteLearning
from services.webhook_dispatchers import DispatcherWorkflows
from services.workflow_gateway import VerificationWorkflows
from store.engine import Database
from store.migrate import migrate
from workflows.pool_health import SCHEDULE_ID, PoolHealthWorkflow

_KEK = base64.b64encode(bytes(range(32))).decode()
_ROUTES = {
    "carriers": {each.name: {"adapter": "sandbox"} for each in ROUTES},
    "everywhere_else": {"primary": COUNTRY, "backups": []},
    "policies": {},
    "senders": [],
}


class Judges:
    """Notes that somebody has news for those who judge pools; the drill has them come."""

    def __init__(self) -> None:
        self.are_asked = False

    def ask(self) -> None:
        """Note it."""
        self.are_asked = True


_: type[PoolJudges] = Judges


@dataclass(kw_only=True)
class Town:
    """The product, up, with an account's way into it."""

    api: httpx2.AsyncClient
    carriers: Carriers
    database: Database
    client: Client
    time: SkippedTime
    calm: Calm
    clock: Clock
    loop: VirtualLoop
    judges: Judges
    judged: int = 0

    async def hop(self, until_s: float) -> None:
        """Let time pass until the next thing is due in the product, or to a moment before that."""
        await self.calm.comes()
        due_s = min(until_s, self.loop.next_due())
        if due_s > self.clock.now_s:
            await self.time.pass_by(due_s - self.clock.now_s)

    async def judge(self) -> None:
        """Run the health of pools, as its Schedule does."""
        self.judges.are_asked = False
        self.judged += 1
        name = f"{SCHEDULE_ID}-{self.judged}"
        await self.client.execute_workflow(PoolHealthWorkflow.run, id=name, task_queue=VERIFICATION_QUEUE)


@asynccontextmanager
async def open_town(folder: Path, clock: Clock) -> AsyncIterator[Town]:
    """Run the product, and carriers for it, in an event loop that lives by the clock."""
    configure_logs(as_json=True)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)  # noqa: S101 - in another one nothing would be skipped
    world = Carriers()
    async with AsyncExitStack() as stack:
        time = await stack.enter_async_context(skipped_time(clock, folder=folder))
        settings = _settings(folder, await stack.enter_async_context(served(world.app)), time.address)
        database = Database(settings.database)
        stack.push_async_callback(database.close)
        clock.rule(database)
        calm = Calm(database)
        await migrate(database)
        keys = await open_keys(database, KeyEncryptions(LocalKey(_KEK)))
        await fill(database)
        key, client = await an_account(database, keys), await connect(settings, keys=keys, is_lazy=False)
        http = await stack.enter_async_context(carrier_client())
        for each in workers(settings, database, keys, client, http=http, time=time):
            await stack.enter_async_context(each)
        await stack.enter_async_context(LeaseKeeper(database=database, regions=[REGION]).running())
        judges = Judges()
        await stack.enter_async_context(RouteLearning(database=database, judges=judges).running())
        url = await stack.enter_async_context(served(_api(settings, database, keys, client, judges=judges, http=http)))
        api = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False)
        )
        yield Town(
            api=api,
            carriers=world,
            database=database,
            client=client,
            time=time,
            calm=calm,
            clock=clock,
            loop=loop,
            judges=judges,
        )


def _settings(folder: Path, carriers_url: str, temporal_address: str) -> Settings:
    routes = folder / "routes.json"
    routes.write_text(json.dumps(_ROUTES), encoding="utf-8")
    return Settings.model_validate(
        {
            "home": folder,
            "database_url": f"sqlite:///{folder / 'outage.db'}",
            "master_key": _KEK,
            "routes_file": routes,
            "sandbox_url": carriers_url,
            "sandbox_secret": SECRET,
            "temporal_address": temporal_address,
            "api_rate": 0,
        }
    )


def _api(
    settings: Settings, database: Database, keys: KeyRing, client: Client, *, judges: Judges, http: httpx2.AsyncClient
) -> Starlette:
    @asynccontextmanager
    async def open_parts() -> AsyncIterator[Parts]:
        parts = parts_of(
            settings,
            keys=keys,
            database=database,
            ways=Ways(
                workflows=VerificationWorkflows(client),
                dispatchers=DispatcherWorkflows(client),
                keepers=NumberLeaseWorkflows(client),
                judges=judges,
            ),
            http=http,
        )
        yield parts
        await parts.close()

    return create_app(open_parts)
