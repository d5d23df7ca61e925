"""What one verification costs at Temporal: its history's events, and the actions that a hosted Temporal would bill."""

from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType

from bench.load.system import System

# https://docs.temporal.io/cloud/actions, as of 2026: what of a history is an action. Tasks, completions and search
# attributes given at the start are none; retries of activities would be, and leave no events: none happen here.
_ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: 1,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: 1,
    EventType.EVENT_TYPE_TIMER_STARTED: 1,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: 1,
    EventType.EVENT_TYPE_MARKER_RECORDED: 1,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: 1,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: 1,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HappyPath:
    """The history of one verification that was sent, checked and approved."""

    events: int
    actions: int
    kinds: dict[str, int]


async def happy_path(system: System, verification: str) -> HappyPath:
    """Return what the history of a finished verification holds."""
    history = await system.client.get_workflow_handle(f"verification/{verification}").fetch_history()
    kinds = Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)
    return HappyPath(
        events=len(history.events),
        actions=sum(_ACTIONS.get(event.event_type, 0) for event in history.events),
        kinds=dict(sorted(kinds.items())),
    )
