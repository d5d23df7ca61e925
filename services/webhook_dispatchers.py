"""The way to an endpoint's dispatcher, and the watch that wakes it when something happened.

Whoever emits an event need not know of webhooks: the watch looks several times a second for endpoints whose account has
news. It asks the database for the right to wake one, which is given once a second, so that many events and many
watching processes make few signals; and a signal that is lost is made up for by the next look.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from domain.errors import DatabaseUnavailableError, TemporalUnavailableError
from domain.ids import webhook_id as public_id
from domain.messages import VERIFICATION_QUEUE, DispatchOrder
from services.workflow_gateway import PATIENCE_S, in_time
from store.engine import Database
from store.webhooks import take_wake, webhooks_with_news
from workflows.webhook_dispatch import WebhookDispatchWorkflow

_LOOK_EVERY_S = 0.25
# After something was away: nobody is helped by being asked four times a second.
_LOOK_AGAIN_S = 1.0
_AT_ONCE = 16


class Dispatchers(Protocol):
    """What use cases need of the way to dispatchers."""

    async def wake(self, webhook_id: UUID) -> None:
        """Have an endpoint's dispatcher look for work, starting it if need be, or raise `TemporalUnavailableError`."""
        ...


class DispatcherWorkflows:
    """Starts and signals the dispatchers' workflows."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def wake(self, webhook_id: UUID) -> None:
        """Have an endpoint's dispatcher look for work, starting it if need be.

        Raises:
            TemporalUnavailableError: Temporal did not answer in time; upkeep will make up for it.

        """
        await in_time(
            self._client.start_workflow(
                WebhookDispatchWorkflow.run,
                DispatchOrder(webhook_id=webhook_id),
                id=f"webhooks/{public_id(webhook_id)}",
                task_queue=VERIFICATION_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="woken",
                rpc_timeout=timedelta(seconds=PATIENCE_S),
                static_summary="Webhooks of one endpoint",
            )
        )


class WebhookWatch:
    """Looks for endpoints that have news, and wakes their dispatchers."""

    def __init__(self, *, database: Database, dispatchers: Dispatchers) -> None:
        self._database = database
        self._dispatchers = dispatchers

    async def run(self) -> None:
        """Look until canceled."""
        while True:
            try:
                await self.look()
            except (DatabaseUnavailableError, TemporalUnavailableError):
                await asyncio.sleep(_LOOK_AGAIN_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> int:
        """Wake whoever has news; return how many."""
        async with self._database.reading() as connection:
            found = await webhooks_with_news(connection)
        return await self.wake_all(found)

    async def wake_all(self, webhooks: Sequence[UUID]) -> int:
        """Wake those that nobody has woken within the last second; return how many."""
        lanes, woken = asyncio.Semaphore(_AT_ONCE), 0

        async def wake(webhook_id: UUID) -> None:
            nonlocal woken
            async with lanes:
                async with self._database.statement() as connection:
                    is_ours = await take_wake(connection, webhook_id)
                if is_ours:
                    await self._dispatchers.wake(webhook_id)
                    woken += 1

        outcomes = await asyncio.gather(*(wake(each) for each in webhooks), return_exceptions=True)
        for each in outcomes:
            if isinstance(each, BaseException):
                raise each
        return woken
