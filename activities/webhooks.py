"""Sending an endpoint what is due: news become deliveries, some are posted side by side, outcomes are written down.

No transaction is open while a receiver is on the line. What a receiver does is an outcome and never an error; only a
database that is away is, and then the same events are posted again, under the same ids.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import random
from typing import Protocol
from uuid import UUID

from temporalio import activity

from domain.audit import AuditEntry
from domain.event_types import EventType
from domain.events import NewEvent
from domain.ids import event_id, webhook_id
from domain.messages import DispatchOrder, DispatchReport
from domain.targets import Answered, Failed, TargetAnswer
from domain.webhooks import Batch, DueDelivery, TryFacts, WebhookFacts, WebhookStatus
from rules.webhooks.schedule import DisabledReason, EndpointState, Outcome, after_tries, next_try_s, state_of
from security.webhook_secrets import WebhookSecrets
from security.webhook_signatures import signed_headers
from store.audit import record
from store.engine import Database
from store.events import emit
from store.webhook_dispatch import count_waiting, hold_webhook, record_tries, take_batch, write_state

# A batch gives out posts for so long, those under way then end in 15 s at most; and for so long batches follow at once.
_GIVING_OUT_S = 20.0
_ALIVE_EVERY_S = 1.5
_HEADERS = {"content-type": "application/json", "user-agent": "Countersign"}


class Poster(Protocol):
    """The way to receivers."""

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> TargetAnswer:
        """Post once, and say what came of it; never raise for what a receiver does."""
        ...


@dataclass(slots=True)
class _Posted:
    """What has come of a batch so far, in the order in which posts ended."""

    tries: list[TryFacts] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class WebhookActivities:
    """Dispatch one endpoint's deliveries, a batch at a time."""

    def __init__(self, *, database: Database, poster: Poster, secrets: WebhookSecrets) -> None:
        self._database = database
        self._poster = poster
        self._secrets = secrets

    @activity.defn
    async def dispatch(self, order: DispatchOrder) -> DispatchReport:
        """Post what is due, and say when to come again. Safe to run twice: a receiver knows an event by its id.

        Batch after batch, for a while: to be started anew for each costs several times what a batch of one does.
        """
        until, report = time.monotonic() + _GIVING_OUT_S, DispatchReport(next_s=0)
        while not report.is_closed and report.next_s == 0 and time.monotonic() < until:
            if activity.is_worker_shutdown():
                break
            activity.heartbeat()
            report = await self._one_batch(order.webhook_id, so_far=report)
        return report

    async def _one_batch(self, webhook_id: UUID, *, so_far: DispatchReport) -> DispatchReport:
        async with self._database.transaction() as connection:
            batch = await take_batch(connection, webhook_id)
        if batch is None:
            return replace(so_far, is_closed=True)
        if not batch.due:
            return replace(so_far, next_s=0 if batch.is_more else batch.next_s)
        posted = await self._post_all(batch)
        state = after_tries(state_of(batch.endpoint), posted.outcomes)
        is_closed = await self._record(batch.endpoint, posted, state)
        delivered = sum(each.is_delivered for each in posted.tries)
        # Whatever is due next, is best asked of the database: a recovery has made all that waited due.
        return DispatchReport(
            is_closed=is_closed,
            next_s=0,
            delivered=so_far.delivered + delivered,
            failed=so_far.failed + len(posted.tries) - delivered,
        )

    async def _post_all(self, batch: Batch) -> _Posted:
        """Post a batch with as many posts at once as the endpoint's pace allows; stop when it turns out to be down."""
        posted, waiting = _Posted(), deque(batch.due)
        keys = await self._secrets.opened(batch.endpoint)
        until = time.monotonic() + _GIVING_OUT_S

        async def one_lane() -> None:
            while waiting and time.monotonic() < until and not _must_stop(batch.endpoint, posted):
                await self._post(batch.endpoint, keys, waiting.popleft(), posted)

        lanes = [asyncio.create_task(one_lane()) for _ in range(min(batch.endpoint.pace, len(batch.due)))]
        try:
            while (await asyncio.wait(lanes, timeout=_ALIVE_EVERY_S))[1]:
                activity.heartbeat()
            await asyncio.gather(*lanes)
        finally:
            for each in lanes:
                each.cancel()
        return posted

    async def _post(self, endpoint: WebhookFacts, keys: Sequence[str], due: DueDelivery, posted: _Posted) -> None:
        body = due.event.body()
        signed = signed_headers(keys, message_id=event_id(due.event.id), timestamp=int(time.time()), body=body)
        answer = await self._poster.post(endpoint.url, body=body, headers={**_HEADERS, **signed})
        outcome = _outcome(answer)
        posted.outcomes.append(outcome)
        posted.tries.append(_try(endpoint, due, answer, outcome))

    async def _record(self, endpoint: WebhookFacts, posted: _Posted, state: EndpointState) -> bool:
        """Write down what came of a batch; say whether the endpoint is closed now."""
        async with self._database.transaction() as connection:
            now = await hold_webhook(connection, endpoint.id)
            if now is None:
                return True
            await record_tries(connection, endpoint.id, posted.tries)
            if now.status is WebhookStatus.DISABLED:
                return True
            await write_state(connection, now, state, before=endpoint)
            if state.disabled is not None:
                waiting = await count_waiting(connection, endpoint.id)
                await emit(connection, _disabled(endpoint, state.disabled, waiting=waiting))
                await record(connection, _audit(endpoint, state.disabled))
        return state.disabled is not None


def _must_stop(endpoint: WebhookFacts, posted: _Posted) -> bool:
    """Say whether the rest of a batch waits: the endpoint is down, asks for patience or wants no more, or we stop."""
    before = state_of(endpoint)
    state = after_tries(before, posted.outcomes)
    return (
        activity.is_worker_shutdown()
        or (state.is_down and not before.is_down)
        or state.disabled is not None
        or state.pace < endpoint.pace
    )


def _outcome(answer: TargetAnswer) -> Outcome:
    if isinstance(answer, Answered):
        return Outcome(status=answer.status, retry_after_s=answer.retry_after_s)
    return Outcome(status=None)


def _try(endpoint: WebhookFacts, due: DueDelivery, answer: TargetAnswer, outcome: Outcome) -> TryFacts:
    # A probe of an endpoint that is down says nothing about this event, and does not bring its end nearer.
    is_probe = state_of(endpoint).is_down
    tries = due.tries if is_probe else due.tries + 1
    wait_s = next_try_s(max(1, tries), chance=random(), retry_after_s=outcome.retry_after_s)  # noqa: S311 - a jitter
    return TryFacts(
        event_id=due.event.id,
        number=due.made + 1,
        status=outcome.status,
        failure=answer.kind.value if isinstance(answer, Failed) else None,
        latency_ms=answer.latency_ms,
        head=answer.detail if isinstance(answer, Failed) else answer.head,
        is_delivered=outcome.is_success,
        tries=tries,
        next_try_s=wait_s,
    )


def _disabled(endpoint: WebhookFacts, reason: DisabledReason, *, waiting: int) -> NewEvent:
    return NewEvent(
        type=EventType.WEBHOOK_DISABLED,
        account_id=endpoint.account_id,
        environment=endpoint.environment,
        data={"webhook_id": webhook_id(endpoint.id), "reason": reason.value, "waiting": waiting},
    )


def _audit(endpoint: WebhookFacts, reason: DisabledReason) -> AuditEntry:
    return AuditEntry(
        account_id=endpoint.account_id,
        environment=endpoint.environment,
        actor="system",
        action="webhook.disabled",
        subject=webhook_id(endpoint.id),
        details={"reason": reason.value},
    )
