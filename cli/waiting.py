"""Waiting for the parts of an installation until each answers, with a word when one takes long."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx2
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from domain.messages import VERIFICATION_QUEUE, carrier_queue

_LOOK_AGAIN_S = 0.1


class NotReadyError(RuntimeError):
    """A part did not answer in time."""


async def until(is_there: Callable[[], Awaitable[bool]], *, what: str, within_s: float) -> None:
    """Ask until the answer is yes; raise `NotReadyError` when the time is over."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await is_there():
        if asyncio.get_running_loop().time() > deadline:
            raise NotReadyError(f"{what} did not answer within {within_s:.0f} s")
        await asyncio.sleep(_LOOK_AGAIN_S)


async def temporal_answers(client: Client) -> bool:
    """Say whether Temporal serves."""
    with contextlib.suppress(RPCError, RuntimeError):
        return await client.service_client.check_health(timeout=timedelta(seconds=1))
    return False


async def api_is_ready(client: httpx2.AsyncClient) -> bool:
    """Say whether the API and all that it needs is ready."""
    with contextlib.suppress(httpx2.HTTPError):
        return (await client.get("/readyz")).is_success
    return False


async def workers_poll(client: Client) -> bool:
    """Say whether workers take workflows, and messages for the first region."""
    with contextlib.suppress(RPCError, RuntimeError):
        workflows = await _pollers(client, VERIFICATION_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        messages = await _pollers(client, carrier_queue("eu"), TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        return bool(workflows and messages)
    return False


async def _pollers(client: Client, queue: str, kind: TaskQueueType.ValueType) -> int:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    return len((await client.workflow_service.describe_task_queue(request)).pollers)
