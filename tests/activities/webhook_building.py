"""Builders for webhooks: endpoints that listen on a real socket, events, and rounds of the real activity."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from temporalio.testing import ActivityEnvironment

from activities.webhooks import WebhookActivities
from domain.event_types import EventType
from domain.events import NewEvent
from domain.facts import Caller
from domain.ids import event_id
from domain.ids import new_id as new_event_id
from domain.messages import DispatchOrder, DispatchReport
from rules.webhooks.targets import TargetPolicy
from runtime.setup import webhook_secrets
from security.targets import GuardedTargets, TargetLimits
from services.webhooks import WebhookRequest, Webhooks, WebhookView
from store.engine import Database
from store.events import emit
from store.tables import table_of
from store.webhook_tables import Webhook, WebhookDelivery
from store.webhooks import Whose
from tests.building import KEYS

SECRETS = webhook_secrets(KEYS)
POLICY = TargetPolicy(is_loopback_allowed=True)
_PASSING = ("next_try_at", "failing_since", "probe_at", "quiet_until", "previous_until", "woken_at", "created_at")


def webhooks_of(database: Database) -> Webhooks:
    return Webhooks(database=database, secrets=SECRETS, policy=POLICY)


async def a_webhook(database: Database, caller: Caller, url: str, **request: Any) -> WebhookView:
    """Return an endpoint at a URL, with its secret."""
    return await webhooks_of(database).create(caller, WebhookRequest(url=url, **request))


def whose(webhook: WebhookView) -> Whose:
    return Whose(account_id=webhook.facts.account_id, environment=webhook.facts.environment)


async def happen(database: Database, caller: Caller, times: int = 1, **data: Any) -> list[str]:
    """Have something happen to an account, some times, and return the events' ids in order."""
    fields = {"limit": "number-limit", "country": "GB", "to": None, "retry_after_s": 30, **data}
    made = []
    for _ in range(times):
        event = NewEvent(
            id=new_event_id(),
            type=EventType.LIMIT_REACHED,
            account_id=caller.account_id,
            environment=caller.environment,
            data=fields,
        )
        made.append(event)
    async with database.transaction() as connection:
        await emit(connection, *made)
    return [event_id(each.id) for each in made if each.id is not None]


class Dispatching:
    """The real activity over real sockets, round by round."""

    def __init__(self, database: Database, *, total_s: float = 15.0) -> None:
        self.targets = GuardedTargets(policy=POLICY, limits=TargetLimits(total_s=total_s))
        self._activities = WebhookActivities(database=database, poster=self.targets, secrets=SECRETS)

    async def round(self, webhook_id: UUID) -> DispatchReport:
        """Run the activity once."""
        return await ActivityEnvironment().run(self._activities.dispatch, DispatchOrder(webhook_id=webhook_id))

    async def until_idle(self, webhook_id: UUID, *, most: int = 50) -> DispatchReport:
        """Run it until there is nothing to do at once, as its workflow would."""
        report = await self.round(webhook_id)
        while report.next_s == 0 and not report.is_closed:
            most -= 1
            assert most > 0, "it does not come to rest"
            report = await self.round(webhook_id)
        return report

    async def aclose(self) -> None:
        await self.targets.aclose()


async def time_passes(database: Database, webhook_id: UUID, *, seconds: float) -> None:
    """Let seconds go by for an endpoint, by moving its rows into the past."""
    async with database.transaction() as connection:
        for table, column in ((table_of(Webhook), "id"), (table_of(WebhookDelivery), "webhook_id")):
            rows = (await connection.execute(select(table).where(table.c[column] == webhook_id))).mappings().all()
            for row in rows:
                same = [each == row[each.name] for each in table.primary_key.columns]
                await connection.execute(update(table).where(*same).values(_earlier(dict(row), seconds)))


def _earlier(row: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    return {name: row[name] - timedelta(seconds=seconds) for name in _PASSING if row.get(name) is not None}
