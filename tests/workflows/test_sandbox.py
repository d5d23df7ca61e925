"""The product's runner: the sandbox stays on, and what is answered outside it is what the sandbox would answer."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import (
    RestrictedWorkflowAccessError,
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

from runtime.sandbox import AS_OUTSIDE, ContextsOutside, QuickSandbox

if TYPE_CHECKING:
    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
    from temporalio.converter import SerializationContext, StorageDriverStoreContext
    from temporalio.testing import WorkflowEnvironment
    from temporalio.worker._command_aware_visitor import CommandInfo

QUEUE = "sandbox"


@workflow.defn
class ClockReader:
    """Looks at the clock."""

    @workflow.run
    async def run(self, form: str) -> str:
        return datetime.now().strftime(form)  # noqa: DTZ005 - what the sandbox is to refuse


@activity.defn
async def echo(word: str) -> str:
    return word


@workflow.defn
class EveryPayload:
    """Has payloads of each kind that the product's workflows have."""

    def __init__(self) -> None:
        self._told = ""

    @workflow.run
    async def run(self, word: str) -> str:
        said = await workflow.execute_activity(
            echo,
            word,
            start_to_close_timeout=timedelta(seconds=5),
            summary="a summary",
            event_groups=[workflow.create_event_group("a-group", label="a label")],
        )
        said += await workflow.execute_local_activity(echo, word, start_to_close_timeout=timedelta(seconds=5))
        await workflow.wait_condition(lambda: bool(self._told), timeout=60, timeout_summary="a timer")
        return said + self._told

    @workflow.signal
    def told(self, word: str) -> None:
        self._told = word


class Compared(WorkflowInstance):
    """Stands beside both: answers as the product's, and counts where the sandbox would name another workflow."""

    def __init__(self, quick: WorkflowInstance, sandboxed: WorkflowInstance, found: Counter[bool]) -> None:
        self._quick, self._sandboxed, self._found = quick, sandboxed, found

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._quick.activate(act)

    def get_serialization_context(self, command_info: CommandInfo | None) -> SerializationContext | None:
        answer = self._quick.get_serialization_context(command_info)
        self._found[_workflow_of(answer) == _workflow_of(self._sandboxed.get_serialization_context(command_info))] += 1
        return answer

    def get_external_store_context(self, command_info: CommandInfo | None) -> StorageDriverStoreContext:
        answer = self._quick.get_external_store_context(command_info)
        self._found[answer == self._sandboxed.get_external_store_context(command_info)] += 1
        return answer

    def get_info(self) -> workflow.Info:
        return self._quick.get_info()

    def get_thread_id(self) -> int | None:
        return self._quick.get_thread_id()


class Comparing(WorkflowRunner):
    """Runs workflows as the product does, and asks the sandbox beside it."""

    def __init__(self) -> None:
        self.found: Counter[bool] = Counter()
        self._sandbox = SandboxedWorkflowRunner()

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        self._sandbox.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        sandboxed = self._sandbox.create_instance(det)
        return Compared(ContextsOutside(sandboxed, det.info), sandboxed, self.found)


def _workflow_of(context: SerializationContext | None) -> tuple[str, str | None]:
    assert isinstance(context, WorkflowSerializationContext | ActivitySerializationContext)
    return context.namespace, context.workflow_id


@pytest.mark.parametrize("runner", [SandboxedWorkflowRunner(), QuickSandbox()], ids=["the SDK's", "the product's"])
async def test_a_workflow_that_reads_the_clock_is_refused(
    temporal: WorkflowEnvironment, runner: WorkflowRunner
) -> None:
    worker = Worker(
        temporal.client,
        task_queue=QUEUE,
        workflows=[ClockReader],
        workflow_runner=runner,
        workflow_failure_exception_types=[RestrictedWorkflowAccessError],
    )

    async with worker:
        with pytest.raises(WorkflowFailureError) as failure:
            await temporal.client.execute_workflow(ClockReader.run, "%H:%M", id="clock", task_queue=QUEUE)

    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == "RestrictedWorkflowAccessError"


async def test_every_payload_is_said_to_be_of_the_workflow_that_the_sandbox_names(
    temporal: WorkflowEnvironment,
) -> None:
    runner = Comparing()
    worker = Worker(
        temporal.client, task_queue=QUEUE, workflows=[EveryPayload], activities=[echo], workflow_runner=runner
    )

    async with worker:
        handle = await temporal.client.start_workflow(EveryPayload.run, "a", id="payloads", task_queue=QUEUE)
        await handle.signal(EveryPayload.told, "b")
        result = await handle.result()

    assert result == "aab"
    assert runner.found[True] > 20
    assert runner.found[False] == 0


def test_each_run_has_its_workflow_loaded_anew_and_nothing_of_the_clock_or_of_chance_is_passed_through() -> None:
    product = ("verification", "number_lease", "pool_health", "upkeep", "webhook_dispatch")
    restricted = ("datetime", "random", "time", "uuid", "os", "store", "security", "services")

    assert not [each for each in (*(f"workflows.{name}" for name in product), *restricted) if _is_passed(each)]


def _is_passed(module: str) -> bool:
    """Say whether our own list, beside the SDK's, lets a module be shared with what is outside."""
    ours = AS_OUTSIDE.passthrough_modules - SandboxRestrictions.default.passthrough_modules
    return any(module == each or module.startswith(f"{each}.") for each in ours)
