"""The workers of the drill: those of `worker.py`, without webhooks, upkeep and numbers' own lives."""

from datetime import timedelta

import httpx2
from temporalio.client import Client
from temporalio.worker import Worker

from activities.conclusion import ConclusionActivities
from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from activities.pool_health import PoolHealthActivities
from bench.outage.numbers import REGION
from bench.outage.skipping import SkippedTime
from domain.messages import VERIFICATION_QUEUE, carrier_queue
from runtime.sandbox import QuickSandbox
from runtime.settings import Settings, reference
from runtime.setup import carriers, catalog, number_sealer, sender_types
from security.keyring import KeyRing
from store.engine import Database
from store.route_book import RouteBook
from store.router import Router
from workflows.pool_health import PoolHealthWorkflow
from workflows.verification import VerificationWorkflow

_DRAIN = timedelta(seconds=1)


def workers(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    client: Client,
    *,
    http: httpx2.AsyncClient,
    time: SkippedTime,
) -> list[Worker]:
    """Return one for workflows and what needs the database, and one that hands messages to the carriers.

    The carriers speak as the sandbox's do, but are no scripted ones here: production may use them.
    """
    router = Router(RouteBook(catalog=catalog(settings), takes=sender_types()))
    delivery = DeliveryActivities(
        database=database,
        carriers=carriers(settings, http),
        keys=keys,
        numbers=number_sealer(keys),
        templates=reference("templates.json"),
    )
    cap = settings.check_limits.failures_in_a_row
    return [
        Worker(
            client,
            task_queue=VERIFICATION_QUEUE,
            workflows=[VerificationWorkflow, PoolHealthWorkflow],
            activities=[
                PlanningActivities(database=database, router=router).plan_next,
                ConclusionActivities(database=database, failures_cap=cap).conclude,
                PoolHealthActivities(database=database).judge_pools,
            ],
            workflow_runner=QuickSandbox(),
            max_cached_workflows=5_000,
            interceptors=[time],
            graceful_shutdown_timeout=_DRAIN,
        ),
        Worker(
            client,
            task_queue=carrier_queue(REGION),
            activities=[delivery.send],
            max_concurrent_activities=200,
            interceptors=[time],
            graceful_shutdown_timeout=_DRAIN,
        ),
    ]
