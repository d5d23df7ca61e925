"""What an operator reads in the Temporal UI: summaries, a log of what happened, typed search attributes."""

from collections.abc import Sequence

from temporalio.api.history.v1 import HistoryEvent
from temporalio.testing import WorkflowEnvironment

from domain.statuses import SubmissionStatus
from tests.workflows.fakes import ACCEPTED, FakeActivities, send_next
from tests.workflows.running import an_attempt, running
from workflows.attributes import ACCOUNT, CARRIER, COUNTRY, ENVIRONMENT, STATUS


def summaries(events: Sequence[HistoryEvent]) -> list[str]:
    return [text for each in events if (text := each.user_metadata.summary.data.decode())]


async def test_every_step_says_what_it_is_for(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(
        answers=[SubmissionStatus.REJECTED, ACCEPTED],
        steps=[send_next(an_attempt(1, carrier="bravo", receipt_wait_s=8)), send_next(an_attempt(2, carrier="delta"))],
    )

    async with running(temporal, fakes, lifetime_s=60) as verification:
        await verification.result()
        told = summaries(await verification.events())

    assert told[:3] == [
        '"SMS to GB, first via alpha"',
        '"SMS to GB via alpha, sender ACME"',
        '"What after alpha? (submission)"',
    ]
    assert told[3] == '"SMS to GB via bravo, sender ACME"'
    assert told[4].startswith('"the receipt is awaited until ')
    assert told[5:7] == ['"What after bravo? (no_receipt)"', '"SMS to GB via delta, sender ACME"']
    assert told[7].startswith('"the code is awaited until ')
    assert told[8] == '"Conclude: expired"'


async def test_the_present_state_is_a_log_of_what_happened(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(
        answers=[SubmissionStatus.REJECTED, ACCEPTED], steps=[send_next(an_attempt(1, carrier="bravo"))]
    )

    async with running(temporal, fakes) as verification:
        await verification.awaits("the code")
        lines = (await verification.details()).splitlines()

    assert [line.split(" ", 2)[2] for line in lines[:3]] == [
        "SMS to GB via alpha, sender ACME: rejected",
        "next: bravo",
        "SMS to GB via bravo, sender ACME: accepted",
    ]
    assert "the code is awaited until" in lines[3]


async def test_workflows_are_found_by_typed_attributes(temporal: WorkflowEnvironment) -> None:
    fakes = FakeActivities(
        answers=[SubmissionStatus.REJECTED, ACCEPTED], steps=[send_next(an_attempt(1, carrier="bravo"))]
    )

    async with running(temporal, fakes) as verification:
        before = (await verification.handle.describe()).typed_search_attributes
        await verification.result()
        after = (await verification.handle.describe()).typed_search_attributes

    assert (before[COUNTRY], before[ENVIRONMENT]) == ("GB", "sandbox")
    assert len(before[ACCOUNT]) == 36
    assert before.get(STATUS) is None
    assert (after[CARRIER], after[STATUS]) == ("bravo", "expired")
