"""The bare floor's workflow: the shape of a verification (one activity on another queue, one timer, one signal).

No product code: what this costs is what Temporal costs, and no verification of this shape can cost less.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow

WORKFLOW_QUEUE, ACTIVITY_QUEUE = "floor-workflows", "floor-activities"
# The product gives a message three seconds to be taken and fails over then; the floor has nowhere to fail over to.
_WAIT, _TAKEN, _DONE = timedelta(seconds=300), timedelta(seconds=100), timedelta(seconds=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorOrder:
    """Input of the workflow and of its activity."""

    id: str


class FloorActivities:
    """Does nothing, and counts how often."""

    def __init__(self) -> None:
        self.done = 0

    @activity.defn(name="floor_touch")
    async def touch(self, order: FloorOrder) -> str:
        """Return the id."""
        self.done += 1
        return order.id


@workflow.defn
class FloorWorkflow:
    """One activity, then wait for the signal or the time."""

    def __init__(self) -> None:
        self._is_ended = False

    @workflow.run
    async def run(self, order: FloorOrder) -> str:
        """Return the id when the signal came, or the time is over."""
        await workflow.execute_activity_method(
            FloorActivities.touch,
            order,
            task_queue=ACTIVITY_QUEUE,
            schedule_to_start_timeout=_TAKEN,
            start_to_close_timeout=_DONE,
        )
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._is_ended, timeout=_WAIT)
        return order.id

    @workflow.signal
    def ended(self) -> None:
        """Note that there is nothing more to wait for."""
        self._is_ended = True
