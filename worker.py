"""The composition root of a worker process: `python worker.py [--role all|workflows|carriers] [--region eu ...]`.

Workflows and the activities that only need the database run on the queue `verifications`; messages are handed to
carriers on `carriers-<region>`, by workers that stand near them.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import structlog
import uvloop
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.audit_keeping import AuditKeeping
from activities.conclusion import ConclusionActivities
from activities.delivery import DeliveryActivities
from activities.numbers import NumberActivities
from activities.planning import PlanningActivities
from activities.pool_health import PoolHealthActivities
from activities.rotating import Rotating
from activities.upkeep import UpkeepActivities
from activities.webhooks import WebhookActivities
from domain.messages import VERIFICATION_QUEUE, WEBHOOK_QUEUE, carrier_queue
from runtime.garbage import spare_the_program
from runtime.key_settings import key_encryption
from runtime.leaving import leave
from runtime.logs import configure_logs
from runtime.sandbox import QuickSandbox
from runtime.settings import Settings, read_settings, reference
from runtime.setup import (
    carrier_client,
    carriers,
    catalog,
    configuration_of,
    connection_rates,
    inventories,
    number_sealer,
    scripted_carriers,
    sender_types,
    target_policy,
    webhook_secrets,
)
from runtime.temporal import connect
from security.audit_signing import AuditSigner
from security.key_encryption import BadKeyError, MissingKeyError, WrongKeyError
from security.keyring import KeyRing
from security.targets import GuardedTargets
from services.configuration import note_configuration
from services.connection_rates import set_connection_rates
from services.keys import DATABASE_PATIENCE_S, open_keys
from services.lease_keeping import LeaseKeeper
from services.number_workflows import NumberLeaseWorkflows
from services.pool_judging import ScheduledJudges
from services.route_learning import RouteLearning
from services.webhook_dispatchers import DispatcherWorkflows, WebhookWatch
from services.workflow_gateway import VerificationWorkflows
from store.engine import Database
from store.route_book import RouteBook
from store.router import Router
from workflows import pool_health, upkeep
from workflows.number_lease import NumberLeaseWorkflow
from workflows.pool_health import PoolHealthWorkflow
from workflows.upkeep import UpkeepWorkflow
from workflows.verification import VerificationWorkflow
from workflows.webhook_dispatch import WebhookDispatchWorkflow

REGIONS = ("eu", "na", "apac")
# What a drain waits for: a carrier's three seconds and the database work around it.
_DRAIN = timedelta(seconds=8)
_TRY_AGAIN_S = 0.2
# A worker that died is still asked first for what it had in memory; how long, is what its verifications lose by it.
_ASK_THE_SAME_WORKER = timedelta(seconds=2)
# What begins is asked for as often as what goes on: while its first task waits, a message is in no queue that is
# served in order of expiry, and the SDK's own one in five let it wait for 45 seconds at full load.
_FOR_WHAT_BEGINS = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What this process is to work on."""

    role: str
    regions: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Orders:
    """Return what the command line asks for; a wrong one exits with the sentence that says what is accepted."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Run a Countersign worker.")
    parser.add_argument("--role", choices=("all", "workflows", "carriers", "webhooks"), default="all")
    parser.add_argument(
        "--region", action="append", choices=("all", *REGIONS), help="repeatable; all of them by default"
    )
    options = parser.parse_args(arguments)
    asked = options.region or ["all"]
    return Orders(role=options.role, regions=REGIONS if "all" in asked else tuple(dict.fromkeys(asked)))


async def run(orders: Orders, settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    database = Database(settings.database, pool_size=settings.database_pool)
    keys = await open_keys(database, key_encryption(settings), within_s=DATABASE_PATIENCE_S)
    await note_configuration(database, process="worker", content=configuration_of(settings))
    client = await _client_once_there(settings, keys, stop)
    if client is None:
        return
    async with AsyncExitStack() as stack:
        if orders.role in {"all", "workflows"}:
            watch = WebhookWatch(database=database, dispatchers=DispatcherWorkflows(client))
            http = await stack.enter_async_context(carrier_client())
            numbers = NumberActivities(database=database, inventories=inventories(settings, http))
            await stack.enter_async_context(_workflow_worker(settings, keys, client, database, watch, numbers))
            await stack.enter_async_context(_watching(watch))
            judges = await stack.enter_async_context(aclosing(ScheduledJudges(client)))
            await stack.enter_async_context(RouteLearning(database=database, judges=judges).running())
        if orders.role in {"all", "webhooks"}:
            targets = await stack.enter_async_context(aclosing(GuardedTargets(policy=target_policy(settings))))
            await stack.enter_async_context(_webhook_worker(client, keys, database, targets))
        if orders.role in {"all", "carriers"}:
            await stack.enter_async_context(LeaseKeeper(database=database, regions=orders.regions).running())
            await set_connection_rates(database, connection_rates(settings), regions=orders.regions)
            delivery = _delivery(settings, keys, database, await stack.enter_async_context(carrier_client()))
            for region in orders.regions:
                await stack.enter_async_context(_carrier_worker(client, delivery, region))
        if orders.role in {"all", "workflows"}:
            await _schedule(client, UpkeepWorkflow.run, name=upkeep.SCHEDULE_ID, every_s=upkeep.EVERY_S)
            await _schedule(client, PoolHealthWorkflow.run, name=pool_health.SCHEDULE_ID, every_s=pool_health.EVERY_S)
        spare_the_program()
        _log.info("worker_ready", role=orders.role, regions=list(orders.regions))
        await stop.wait()
    await database.close()


def _workflow_worker(
    settings: Settings,
    keys: KeyRing,
    client: Client,
    database: Database,
    watch: WebhookWatch,
    numbers: NumberActivities,
) -> Worker:
    """Return what runs workflows and the activities that need the database, and now and then a carrier's inventory."""
    cap = settings.check_limits.failures_in_a_row
    starter, audit = VerificationWorkflows(client), AuditKeeping(database=database, signer=AuditSigner(keys.audit_seed))
    router = Router(RouteBook(catalog=catalog(settings), takes=sender_types()))
    keeper = NumberLeaseWorkflows(client)
    rotating = Rotating(database=database, keeper=keeper, quota=settings.numbers_per_account)
    mending = UpkeepActivities(
        database=database,
        starter=starter,
        waker=watch,
        keeper=keeper,
        audit=audit,
        failures_cap=cap,
        decisions_kept_days=settings.route_decisions_kept_days,
    )
    return Worker(
        client,
        task_queue=VERIFICATION_QUEUE,
        workflows=[
            VerificationWorkflow,
            UpkeepWorkflow,
            PoolHealthWorkflow,
            WebhookDispatchWorkflow,
            NumberLeaseWorkflow,
        ],
        activities=[
            PlanningActivities(database=database, router=router).plan_next,
            ConclusionActivities(database=database, failures_cap=cap).conclude,
            mending.mend,
            PoolHealthActivities(database=database, rotating=rotating).judge_pools,
            numbers.tend,
        ],
        workflow_runner=QuickSandbox(),
        max_cached_workflows=5_000,
        nonsticky_to_sticky_poll_ratio=_FOR_WHAT_BEGINS,
        sticky_queue_schedule_to_start_timeout=_ASK_THE_SAME_WORKER,
        graceful_shutdown_timeout=_DRAIN,
    )


def _webhook_worker(client: Client, keys: KeyRing, database: Database, targets: GuardedTargets) -> Worker:
    """Return what posts webhooks, on a queue of its own: a receiver that is slow keeps nobody else's slot."""
    webhooks = WebhookActivities(database=database, poster=targets, secrets=webhook_secrets(keys))
    return Worker(
        client,
        task_queue=WEBHOOK_QUEUE,
        activities=[webhooks.dispatch],
        max_concurrent_activities=200,
        graceful_shutdown_timeout=_DRAIN,
    )


@contextlib.asynccontextmanager
async def _watching(watch: WebhookWatch) -> AsyncIterator[None]:
    """Look for webhooks that have news for as long as the block lasts."""
    looking = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


def _delivery(settings: Settings, keys: KeyRing, database: Database, http: httpx2.AsyncClient) -> DeliveryActivities:
    return DeliveryActivities(
        database=database,
        carriers=carriers(settings, http),
        keys=keys,
        numbers=number_sealer(keys),
        templates=reference("templates.json"),
        scripted=scripted_carriers(settings),
    )


def _carrier_worker(client: Client, delivery: DeliveryActivities, region: str) -> Worker:
    """Return what hands messages to the carriers of one region."""
    return Worker(
        client,
        task_queue=carrier_queue(region),
        activities=[delivery.send],
        max_concurrent_activities=200,
        graceful_shutdown_timeout=_DRAIN,
    )


async def _client_once_there(settings: Settings, keys: KeyRing, stop: asyncio.Event) -> Client | None:
    """Wait for Temporal, as long as it takes; None when told to stop first."""
    told = False
    while not stop.is_set():
        try:
            return await connect(settings, keys=keys, is_lazy=False)
        except (RPCError, RuntimeError) as error:
            if not told:
                _log.warning("temporal_is_away", address=settings.temporal_address, why=str(error))
            told = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=_TRY_AGAIN_S)
    return None


async def _schedule(client: Client, run: Callable[..., Any], *, name: str, every_s: int) -> None:
    """Have Temporal start a workflow on its schedule; the first worker of an instance makes it, the others find it."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(run, id=name, task_queue=VERIFICATION_QUEUE),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=every_s))]),
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(name, schedule)


def main() -> None:
    """Run the worker that the command line and the environment describe."""
    orders, settings = parse(sys.argv[1:]), read_settings()
    configure_logs(as_json=settings.log_json)
    try:
        uvloop.run(run(orders, settings))
    except (BadKeyError, MissingKeyError, WrongKeyError) as error:
        sys.exit(str(error))
    leave()


if __name__ == "__main__":
    main()
