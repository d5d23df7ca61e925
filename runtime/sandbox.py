"""Temporal's workflow sandbox, asked only for what it alone can answer.

For each payload of a workflow task the SDK asks the workflow's instance, up to seven times, which workflow the payload
belongs to. The sandbox compiles a line of Python for each answer and swaps the interpreter's modules and builtins
before and after it. Where a command stays within its workflow the answer is the workflow itself, and is given here. The
workflow's own code runs in the sandbox as ever (ADR 0042).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.api.enums.v1 import CommandType
from temporalio.converter import (
    SerializationContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
    from temporalio.worker._command_aware_visitor import CommandInfo
    from temporalio.workflow import Info, _Definition

# Their payloads are the workflow's own. For an activity's the SDK has a context that names the same workflow and more,
# of which the codec takes the workflow (`runtime/codec.py`). The
# sandbox answers for commands towards other workflows.
_OWN = frozenset(
    {CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION}
)
# What workflows import as it is outside, said once more: the sandbox, which loads a workflow's module anew for each
# run, then takes these at once, where it would leave itself and come back for each import.
AS_OUTSIDE = SandboxRestrictions.default.with_passthrough_modules(
    "activities", "domain", "workflows.attributes", "workflows.options"
)


class QuickSandbox(WorkflowRunner):
    """Runs workflows in the SDK's sandbox."""

    def __init__(self) -> None:
        self._sandbox = SandboxedWorkflowRunner(restrictions=AS_OUTSIDE)

    def prepare_workflow(self, defn: _Definition) -> None:
        """Have the sandbox look at a workflow."""
        self._sandbox.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return an instance whose code runs in a sandbox of its own."""
        return ContextsOutside(self._sandbox.create_instance(det), det.info)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Tell the sandbox which exceptions fail a workflow."""
        self._sandbox.set_worker_level_failure_exception_types(types)


class ContextsOutside(WorkflowInstance):
    """A workflow in the sandbox, whose payloads' contexts are told without it."""

    def __init__(self, inside: WorkflowInstance, info: Info) -> None:
        self._inside = inside
        self._own = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)
        self._store = StorageDriverStoreContext(
            target=StorageDriverWorkflowInfo(
                id=info.workflow_id, run_id=info.run_id, type=info.workflow_type, namespace=info.namespace
            )
        )

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Have the sandboxed workflow go on."""
        return self._inside.activate(act)

    def get_serialization_context(self, command_info: CommandInfo | None) -> SerializationContext | None:
        """Return which workflow a payload belongs to."""
        return self._own if _is_own(command_info) else self._inside.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: CommandInfo | None) -> StorageDriverStoreContext:
        """Return for which workflow a payload would be stored elsewhere; nothing is."""
        return self._store if _is_own(command_info) else self._inside.get_external_store_context(command_info)

    def get_info(self) -> Info:
        """Return what the SDK knows of the workflow."""
        return self._inside.get_info()

    def get_thread_id(self) -> int | None:
        """Return the thread that the workflow's code runs on, if it does."""
        return self._inside.get_thread_id()


def _is_own(command: CommandInfo | None) -> bool:
    return command is None or command.command_type in _OWN
