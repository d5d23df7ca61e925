"""Numbers and codes are in the activities' hands and in no history: real activities under the real workflow."""

import re
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from carriers.protocol import Answer
from domain.ids import verification_id
from domain.messages import VERIFICATION_QUEUE, StartVerification, VerificationEnded, carrier_queue
from domain.statuses import VerificationStatus
from services.workflow_gateway import VerificationWorkflows
from store.engine import Database
from store.plans import announced
from tests.activities.scripted import ACCEPTED, REFUSED, SILENT, ScriptedCarrier, attempts_in, conclusion, delivery
from tests.activities.scripted import planning as planning_of
from tests.building import a_caller, a_planned_attempt, a_verification
from tests.workflows.decoding import texts_of
from workflows.verification import VerificationWorkflow

NUMBER = "+447911987654"


@pytest.mark.parametrize("script", [[ACCEPTED], [REFUSED, SILENT, ACCEPTED]])
async def test_neither_number_nor_code_is_in_a_history(
    temporal: WorkflowEnvironment, database: Database, script: list[Answer | Exception]
) -> None:
    carrier = ScriptedCarrier(script=list(script))
    handle_id, attempts = await verify(temporal, database, carrier)

    history = await temporal.client.get_workflow_handle(handle_id).fetch_history()
    texts = texts_of(history)

    codes = [re.findall(r"\b\d{6}\b", message.text)[0] for message in carrier.messages]
    assert {message.to for message in carrier.messages} == {NUMBER}
    assert len(codes) == attempts == len(script)
    assert any('"alpha"' in text for text in texts), "the history is not decoded as it should be"
    for secret in (NUMBER, NUMBER[1:], NUMBER[3:], *(message.text for message in carrier.messages)):
        assert not [text for text in texts if secret in text]
    for code in codes:
        assert not [text for text in texts if re.search(rf"(?<![0-9a-f.-]){code}(?![0-9a-f-])", text)]


async def verify(temporal: WorkflowEnvironment, database: Database, carrier: ScriptedCarrier) -> tuple[str, int]:
    """Run one verification of the canary number until all of the carrier's script is used, and approve it."""
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0, to=NUMBER)
    await a_planned_attempt(database, facts.id)
    [first] = await attempts_in(database, facts.id)
    start = StartVerification(verification_id=facts.id, country=facts.country, lifetime_s=300, first=announced(first))
    workflows, wanted = VerificationWorkflows(temporal.client), len(carrier.script)
    async with AsyncExitStack() as stack:
        for each in workers(temporal, database, carrier):
            await stack.enter_async_context(each)
        await workflows.start(start, account_id=caller.account_id)
        while len(carrier.messages) < wanted:
            await temporal.sleep(timedelta(seconds=0.05))
        workflows.tell_ended(facts.id, VerificationEnded(status=VerificationStatus.APPROVED))
        await workflows.drain()
        handle = temporal.client.get_workflow_handle(f"verification/{verification_id(facts.id)}")
        await handle.result()
    return handle.id, len(await attempts_in(database, facts.id))


def workers(temporal: WorkflowEnvironment, database: Database, carrier: ScriptedCarrier) -> list[Worker]:
    workflows = Worker(
        temporal.client,
        task_queue=VERIFICATION_QUEUE,
        workflows=[VerificationWorkflow],
        activities=[planning_of(database).plan_next, conclusion(database).conclude],
    )
    sending = [
        Worker(temporal.client, task_queue=carrier_queue(region), activities=[delivery(database, carrier).send])
        for region in ("eu", "na")
    ]
    return [workflows, *sending]
