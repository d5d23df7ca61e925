"""Whole verifications on a real development server with sealed payloads: nothing of them can be read in the history."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from sys import executable
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from domain.ids import new_id, verification_id
from domain.messages import StartVerification, VerificationEnded, VerificationResult
from domain.statuses import VerificationStatus
from runtime.settings import Settings
from runtime.temporal import converter
from security.payloads import ENCODING
from services.workflow_gateway import VerificationWorkflows
from tests.building import KEYS
from tests.workflows.decoding import texts_of
from tests.workflows.fakes import ACCEPTED, FakeActivities, send_next
from tests.workflows.running import an_attempt, running, until, workers
from workflows.attributes import ALL
from workflows.verification import VerificationWorkflow

SERVER = Path(executable).with_name("temporal")
PATIENCE_S = 30
WORDS = "words that nobody is to read"
CORES_OWN = {
    "activation_index",
    "activity_id",
    "activity_type",
    "attempt",
    "backoff",
    "complete_time",
    "original_schedule_time",
    "seq",
}


def sealing(encryption: str) -> DataConverter:
    return converter(Settings.model_validate({"payload_encryption": encryption}), KEYS)


@asynccontextmanager
async def a_server(encryption: str = "strict") -> AsyncIterator[WorkflowEnvironment]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(SERVER), data_converter=sealing(encryption), search_attributes=ALL
    )
    async with environment:
        yield environment


@pytest.fixture
async def server() -> AsyncIterator[WorkflowEnvironment]:
    async with a_server() as environment:
        yield environment


def payloads_in(recorded: Any, *, under: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every payload of a history in JSON, with the names above it."""
    match recorded:
        case {"metadata": {"encoding": _}}:
            yield under, recorded
        case dict():
            for name, each in recorded.items():
                yield from payloads_in(each, under=(*under, name))
        case list():
            for each in recorded:
                yield from payloads_in(each, under=under)


def plain_payloads(history: WorkflowHistory) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """Return payloads that are not sealed, each with its place; search attributes, which the server reads, left out."""
    sealed = base64.b64encode(ENCODING).decode()
    return [
        (under, payload)
        for event in json.loads(history.to_json())["events"]
        for under, payload in payloads_in(event)
        if payload["metadata"]["encoding"] != sealed and "searchAttributes" not in under
    ]


def texts_in(history: WorkflowHistory) -> str:
    """Return everything that can be read in a history, but for its search attributes."""
    return " ".join(texts_of(history))


async def speaking(server: WorkflowEnvironment, encryption: str) -> Client:
    """Return another client of a server."""
    address = server.client.service_client.config.target_host
    return await Client.connect(address, data_converter=sealing(encryption))


async def test_a_whole_verification_leaves_nothing_to_read_in_its_history(server: WorkflowEnvironment) -> None:
    fakes = FakeActivities(
        answers=[ApplicationError(WORDS, WORDS, non_retryable=True), ACCEPTED],
        steps=[ApplicationError(WORDS), send_next(an_attempt(1, carrier="bravo", region="na"))],
    )

    async with running(server, fakes, first=an_attempt(carrier="alpha")) as verification:
        await until(lambda: len(fakes.sent) == 2)
        await verification.resend(an_attempt(2, carrier="charlie"))
        await until(lambda: len(fakes.sent) == 3)
        details = await verification.details()
        await verification.ended()
        result = await verification.handle.result()
        history = await verification.handle.fetch_history()

    assert result.status is VerificationStatus.APPROVED
    assert "via bravo, sender ACME: accepted" in details
    assert {where[-3:] for where, _ in plain_payloads(history)} == {("details", "data", "payloads")}
    assert [word for word in (WORDS, "ACME", "sender", "next: bravo", "as_told") if word in texts_in(history)] == []


async def test_failures_and_local_activities_are_recorded_without_their_words(server: WorkflowEnvironment) -> None:
    fakes = FakeActivities(
        answers=[ApplicationError(WORDS, non_retryable=True), ACCEPTED], steps=[send_next(an_attempt(1))]
    )

    async with running(server, fakes) as verification:
        await until(lambda: len(fakes.sent) == 2)
        await verification.ended()
        await verification.handle.result()
        history = await verification.handle.fetch_history()

    failures = [each.activity_task_failed_event_attributes.failure for each in history.events]
    [failure] = [each for each in failures if each.HasField("application_failure_info")]
    assert (failure.message, failure.stack_trace) == ("Encoded failure", "")
    assert failure.encoded_attributes.metadata["encoding"] == b"binary/encrypted"
    # The core of the SDK notes its own number, kind and time of a local activity, past every codec.
    [(_, own)] = plain_payloads(history)
    assert set(json.loads(base64.b64decode(own["data"]))) == CORES_OWN


async def test_a_sealed_history_does_not_replay_without_its_keys(server: WorkflowEnvironment) -> None:
    async with running(server, FakeActivities()) as verification:
        await verification.ended()
        await verification.handle.result()
        history = await verification.handle.fetch_history()

    # `running` has replayed it with the keys.
    with pytest.raises(RuntimeError, match="Failed decoding arguments"):
        await Replayer(workflows=[VerificationWorkflow]).replay_workflow(history)


async def test_what_was_started_in_clear_waits_for_a_lenient_worker_and_ends_well_with_it() -> None:
    async with a_server("off") as server:
        plain, strict, lenient = server.client, *[await speaking(server, how) for how in ("strict", "lenient")]
        refused, fakes = FakeActivities(), FakeActivities()
        start = StartVerification(verification_id=new_id(), country="GB", lifetime_s=300, first=an_attempt())
        await VerificationWorkflows(plain).start(start, account_id=new_id())
        handle = plain.get_workflow_handle(f"verification/{verification_id(start.verification_id)}")

        async with AsyncExitStack() as stack:
            for each in workers(strict, refused, regions=("eu",)):
                await stack.enter_async_context(each)
            await a_task_fails(handle)
        async with AsyncExitStack() as stack:
            for each in workers(lenient, fakes, regions=("eu",)):
                await stack.enter_async_context(each)
            # The server gives a task that failed, or that its worker took along, out again after ten seconds.
            await until(lambda: fakes.sent, within_s=PATIENCE_S)
            ended = VerificationEnded(status=VerificationStatus.APPROVED)
            await lenient.get_workflow_handle(handle.id).signal(VerificationWorkflow.ended, ended)
            result = await lenient.get_workflow_handle(handle.id, result_type=VerificationResult).result()

        history = await handle.fetch_history()

    assert refused.sent == []
    assert result.status is VerificationStatus.APPROVED
    plain_ones = {where[0] for where, _ in plain_payloads(history)}
    assert plain_ones == {"workflowExecutionStartedEventAttributes", "userMetadata"}


async def a_task_fails(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the failure of a workflow task."""
    limit = time.monotonic() + PATIENCE_S
    while EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in {
        e.event_type for e in (await handle.fetch_history()).events
    }:
        assert time.monotonic() < limit, "no workflow task has failed"
        await asyncio.sleep(0.02)
