"""A carrier that is taken out of the configuration: what is pending on it fails over, and nothing raises."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.planning import PlanningActivities
from domain.facts import AttemptFacts, VerificationFacts
from domain.ids import verification_id
from domain.messages import VERIFICATION_QUEUE, StartVerification, VerificationEnded, VerificationResult, carrier_queue
from domain.statuses import AttemptStatus, VerificationStatus
from rules.routing.eligibility import Rule
from rules.routing.explanation import of_text
from services.workflow_gateway import VerificationWorkflows
from store.engine import Database
from store.plans import announced
from store.router import Router
from tests.activities.scripted import ScriptedCarrier, attempts_in, conclusion, delivery
from tests.activities.test_routes_from_pools import a_sender, begun, pending_to, sent
from tests.building import CARRIERS, a_router, settings
from tests.store.numbering import a_country
from workflows.verification import VerificationWorkflow

GONE = "alpha"
LEFT = tuple(each for each in CARRIERS if each != GONE)
_RAISED = frozenset({EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED})


def a_router_without(folder: Path) -> Router:
    """Return what chooses routes after a restart with a routes file that has the carrier no longer."""
    routes = json.loads(settings().routes_file.read_text(encoding="utf-8"))
    del routes["carriers"][GONE]
    routes["senders"] = [each for each in routes["senders"] if each["carrier"] != GONE]
    file = folder / "routes.json"
    file.write_text(json.dumps(routes), encoding="utf-8")
    return a_router(routes_file=file)


@pytest.mark.parametrize("how_far", ["planned", "accepted"])
async def test_what_is_pending_on_it_fails_over_and_nothing_raises(
    temporal: WorkflowEnvironment, database: Database, tmp_path: Path, how_far: str
) -> None:
    country = a_country()
    await a_sender(database, country, price_micros=1)
    await a_sender(database, country, carrier="bravo")
    facts = await pending_to(database, country)
    routed = await begun(database, facts)
    if how_far == "accepted":
        await sent(database, facts, routed)

    first, second = await went_on(temporal, database, facts, a_router_without(tmp_path))

    assert (first.carrier, second.carrier) == (GONE, "bravo")
    assert second.status is AttemptStatus.ACCEPTED
    was = (AttemptStatus.ACCEPTED, None) if how_far == "accepted" else (AttemptStatus.REJECTED, "not-configured")
    assert (first.status, first.carrier_code) == was
    again = await begun(database, await pending_to(database, country), router=a_router_without(tmp_path))
    assert again.candidate.route.carrier == "bravo"
    assert [each.rules for each in of_text(again.explanation).removed] == [(Rule.CARRIER_NOT_CONFIGURED,)]


async def went_on(
    temporal: WorkflowEnvironment, database: Database, facts: VerificationFacts, router: Router
) -> list[AttemptFacts]:
    """Have workers without the carrier go on with a verification until the next message left; return its attempts."""
    carrier, workflows = ScriptedCarrier(name="bravo"), VerificationWorkflows(temporal.client)
    [first] = await attempts_in(database, facts.id)
    start = StartVerification(verification_id=facts.id, country=facts.country, lifetime_s=300, first=announced(first))
    async with AsyncExitStack() as stack:
        for each in workers(temporal, database, carrier, router):
            await stack.enter_async_context(each)
        await workflows.start(start, account_id=facts.account_id)
        while not carrier.messages:
            await temporal.sleep(timedelta(seconds=0.5))
        workflows.tell_ended(facts.id, VerificationEnded(status=VerificationStatus.APPROVED))
        await workflows.drain()
        handle: WorkflowHandle[VerificationWorkflow, VerificationResult] = temporal.client.get_workflow_handle(
            f"verification/{verification_id(facts.id)}", result_type=VerificationResult
        )
        result = await handle.result()
    assert result.status is VerificationStatus.APPROVED
    assert not [each for each in (await handle.fetch_history()).events if each.event_type in _RAISED]
    return await attempts_in(database, facts.id)


def workers(
    temporal: WorkflowEnvironment, database: Database, carrier: ScriptedCarrier, router: Router
) -> tuple[Worker, Worker]:
    planning = PlanningActivities(database=database, router=router)
    return (
        Worker(
            temporal.client,
            task_queue=VERIFICATION_QUEUE,
            workflows=[VerificationWorkflow],
            activities=[planning.plan_next, conclusion(database).conclude],
        ),
        Worker(
            temporal.client,
            task_queue=carrier_queue("eu"),
            activities=[delivery(database, carrier, names=LEFT).send],
        ),
    )
