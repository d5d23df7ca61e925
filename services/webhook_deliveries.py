"""What an account can ask of an endpoint's deliveries: to see them, to have a test, to have events once more."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import InvalidRequestError, NotFoundError, TemporalUnavailableError, WebhookDisabledError
from domain.event_types import EventType, types_matching
from domain.events import NewEvent
from domain.facts import Caller
from domain.ids import new_id
from domain.ids import webhook_id as public_id
from domain.webhooks import DeliveryStatus, DeliveryView, WebhookFacts, WebhookStatus
from services.webhook_dispatchers import Dispatchers
from services.webhooks import known_filters, own_webhook
from store.engine import Database
from store.events import emit
from store.reading_events import EventFilters
from store.webhook_deliveries import deliver_again, deliveries_of
from store.webhook_dispatch import give, probe_now

MAX_PAGE, DEFAULT_PAGE = 100, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Some deliveries, those of the newest events first, and the cursor of the next page if there is one."""

    items: tuple[DeliveryView, ...]
    next_cursor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How many events go out again; `go_on_from` is there when there were more than one request takes."""

    events: int
    go_on_from: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Which events an endpoint is to get again: one, or those of a time that a filter lets through."""

    event_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    events: tuple[str, ...] | None = None


class WebhookDeliveries:
    """Shows deliveries, and has events delivered on demand."""

    def __init__(self, *, database: Database, dispatchers: Dispatchers) -> None:
        self._database = database
        self._dispatchers = dispatchers

    async def list(
        self,
        caller: Caller,
        webhook_id: UUID,
        *,
        limit: int = DEFAULT_PAGE,
        status: DeliveryStatus | None = None,
        event_id: UUID | None = None,
        cursor: int | None = None,
    ) -> DeliveryPage:
        """Return a page of an endpoint's deliveries, with every try.

        Raises:
            NotFoundError: the account has none with this id in this environment.

        """
        async with self._database.reading() as connection:
            await own_webhook(connection, caller, webhook_id)
            found = await deliveries_of(
                connection, webhook_id, limit=limit + 1, status=status, event_id=event_id, before=cursor
            )
        page = found[:limit]
        return DeliveryPage(items=tuple(page), next_cursor=page[-1].number if len(found) > limit else None)

    async def test(self, caller: Caller, webhook_id: UUID) -> UUID:
        """Have a `webhook.test` sent to an endpoint at once, and to no other; return the event's id.

        Raises:
            NotFoundError: the account has none with this id in this environment.
            WebhookDisabledError: it is sent nothing.

        """
        event_id = new_id()
        async with self._database.transaction() as connection:
            facts = await own_webhook(connection, caller, webhook_id)
            _ensure_enabled(facts)
            event = NewEvent(
                id=event_id,
                type=EventType.WEBHOOK_TEST,
                account_id=caller.account_id,
                environment=caller.environment,
                data={"webhook_id": public_id(webhook_id)},
            )
            await emit(connection, event)
            await give(connection, webhook_id, event_id)
            await probe_now(connection, facts)
        await self._wake(webhook_id)
        return event_id

    async def replay(self, caller: Caller, webhook_id: UUID, request: ReplayRequest) -> Replayed:
        """Have an endpoint get events again, under the ids they had.

        Raises:
            NotFoundError: the account has no such endpoint, or no such event any more.
            InvalidRequestError: neither an event nor a time is named, or the filter names no type.
            WebhookDisabledError: the endpoint is sent nothing.

        """
        if (request.event_id is None) == (request.since is None):
            raise InvalidRequestError(
                "Name one event by event_id, or a time by from (and to, which is now by default)."
            )
        async with self._database.transaction() as connection:
            facts = await own_webhook(connection, caller, webhook_id)
            _ensure_enabled(facts)
            filters = _filters(caller, facts, request)
            events, go_on_from = await deliver_again(connection, webhook_id, filters, event_id=request.event_id)
            if request.event_id is not None and not events:
                raise NotFoundError("This account has no event with this id; events are kept for 30 days.")
        await self._wake(webhook_id)
        return Replayed(events=events, go_on_from=go_on_from)

    async def _wake(self, webhook_id: UUID) -> None:
        # It is written down: upkeep finds it within a minute of Temporal's return.
        with suppress(TemporalUnavailableError):
            await self._dispatchers.wake(webhook_id)


def _filters(caller: Caller, facts: WebhookFacts, request: ReplayRequest) -> EventFilters:
    if request.event_id is not None:
        return EventFilters(account_id=caller.account_id, environment=caller.environment)
    wanted = facts.events if request.events is None else known_filters(request.events)
    types, _ = types_matching(list(wanted))
    return EventFilters(
        account_id=caller.account_id,
        environment=caller.environment,
        types=[each.value for each in types if each is not EventType.WEBHOOK_TEST],
        since=request.since,
        until=request.until,
    )


def _ensure_enabled(facts: WebhookFacts) -> None:
    if facts.status is WebhookStatus.DISABLED:
        raise WebhookDisabledError(
            "The webhook is disabled and is sent nothing; enable it first: PATCH with status enabled.",
            fields={"disabled_reason": facts.disabled_reason},
        )
