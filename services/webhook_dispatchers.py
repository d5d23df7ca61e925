"""The way to an endpoint's dispatcher, and the watch that wakes it when something happened.

Whoever emits an event need not know of webhooks: the watch looks several times a second for endpoints whose account has
news. It asks the database for the right to wake one, which is given once a second, so that many events and many
watching processes make few signals; and a signal that is lost is made up for by the next look.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from domain.errors import DatabaseUnavailableError, TemporalUnavailableError
from domain.events import Position
from domain.ids import webhook_id as public_id
from domain.messages import VERIFICATION_QUEUE, DispatchOrder
from services.workflow_gateway import PATIENCE_S, in_time
from store.engine import Database
from store.event_order import newest_place
from store.webhook_dispatch import pass_over
from store.webhooks import WOKEN_AT_MOST_EVERY_S, take_wake, webhooks_with_news
from workflows.webhook_dispatch import WebhookDispatchWorkflow

_LOOK_EVERY_S = 0.25
# After something was away: nobody is helped by being asked four times a second.
_LOOK_AGAIN_S = 1.0
_AT_ONCE = 16
# While no event has become readable there is no news, so nobody need be asked after who has some. Those that were woken
# a moment before an event came are found a second later; whose pause is over, by their own timers, and by the look
# that is taken anyway.
_SETTLED_AFTER_S, _ANYWAY_EVERY_S = 2 * WOKEN_AT_MOST_EVERY_S, 5.0


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

    def __init__(
        self, *, database: Database, dispatchers: Dispatchers, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._dispatchers = dispatchers
        self._clock = clock
        self._newest: Position | None = None
        self._moved_at = self._looked_at = -math.inf

    async def run(self) -> None:
        """Look until canceled."""
        while True:
            try:
                await self.look()
            except (DatabaseUnavailableError, TemporalUnavailableError):
                await asyncio.sleep(_LOOK_AGAIN_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> int:
        """Wake whoever has news that its filter lets through; return how many."""
        async with self._database.reading() as connection:
            if self._is_settled(await newest_place(connection)):
                return 0
            found = await webhooks_with_news(connection)
        return await self._wake_each(found, are_due=False)

    async def wake_all(self, webhooks: Sequence[UUID]) -> int:
        """Wake those that nobody has woken within the last second; return how many."""
        return await self._wake_each(webhooks, are_due=True)

    def _is_settled(self, newest: Position) -> bool:
        """Say whether nothing has become readable since everybody was woken; take note of the look otherwise."""
        now = self._clock()
        if newest != self._newest:
            self._newest, self._moved_at = newest, now
        if now - self._moved_at > _SETTLED_AFTER_S and now - self._looked_at < _ANYWAY_EVERY_S:
            return True
        self._looked_at = now
        return False

    async def _wake_each(self, webhooks: Sequence[UUID], *, are_due: bool) -> int:
        """Wake some; those for whom nothing is due yet, only if their filter lets some of the news through."""
        lanes, woken = asyncio.Semaphore(_AT_ONCE), 0

        async def wake(webhook_id: UUID) -> None:
            nonlocal woken
            async with lanes:
                async with self._database.statement() as connection:
                    is_ours = await take_wake(connection, webhook_id)
                if is_ours and (are_due or not await self._is_passed_over(webhook_id)):
                    await self._dispatchers.wake(webhook_id)
                    woken += 1

        outcomes = await asyncio.gather(*(wake(each) for each in webhooks), return_exceptions=True)
        for each in outcomes:
            if isinstance(each, BaseException):
                raise each
        return woken

    async def _is_passed_over(self, webhook_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            return await pass_over(connection, webhook_id)
