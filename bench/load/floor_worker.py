"""The bare floor's worker: one process with a worker for each of the two queues, with as many slots as the product's.

Sandbox and event loop are those that the SDK comes with: the product's own (ADR 0042) are product code.

It writes how many activities it has done into a file, ten times a second, so that the bench can wait for the last one
without asking Temporal.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from bench.load.floor_workflow import ACTIVITY_QUEUE, WORKFLOW_QUEUE, FloorActivities, FloorWorkflow

_EVERY_S = 0.1


async def _run(address: str, count_file: Path) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    client, activities = await Client.connect(address), FloorActivities()
    workflows = Worker(client, task_queue=WORKFLOW_QUEUE, workflows=[FloorWorkflow], max_cached_workflows=5_000)
    touching = Worker(client, task_queue=ACTIVITY_QUEUE, activities=[activities.touch], max_concurrent_activities=200)
    async with workflows, touching:
        told = -1
        while not stop.is_set():
            if activities.done != told:
                told = activities.done
                await asyncio.to_thread(count_file.write_text, str(told), encoding="ascii")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=_EVERY_S)


if __name__ == "__main__":
    asyncio.run(_run(os.environ["COUNTERSIGN_TEMPORAL_ADDRESS"], Path(os.environ["FLOOR_COUNT_FILE"])))
