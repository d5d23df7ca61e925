"""Changes of one endpoint at the same time all hold, and the trail says of each what it changed."""

import asyncio
import json

from sqlalchemy import select

from domain.ids import webhook_id
from services.webhooks import WebhookRequest
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import table_of
from tests.activities.webhook_building import a_webhook, webhooks_of
from tests.building import a_caller

_ROUNDS = 15
_ENTRIES = table_of(AuditRow)
_URL = "http://127.0.0.1:9/hook"
# Turn by turn, so that each round changes what it sends.
_EVENTS = (("check.failed",), ("verification.*", "check.*"))


async def changes_noted(database: Database, subject: str) -> list[tuple[bool, bool]]:
    """Return of each change in the trail whether it was of the URL, and of the filter."""
    query = (
        select(_ENTRIES.c.details)
        .where(_ENTRIES.c.subject == subject, _ENTRIES.c.action == "webhook.changed")
        .order_by(_ENTRIES.c.sequence)
    )
    async with database.reading() as connection:
        details = [json.loads(each) for each in (await connection.execute(query)).scalars()]
    return [(each["url_changed"], each["events_changed"]) for each in details]


async def test_changes_of_different_fields_at_once_all_hold(database: Database) -> None:
    caller, webhooks = await a_caller(database), webhooks_of(database)
    made = (await a_webhook(database, caller, _URL)).facts

    for number in range(_ROUNDS):
        url, events, description = f"{_URL}/{number}", _EVENTS[number % 2], f"round {number}"
        requests = (
            WebhookRequest(url=url),
            WebhookRequest(events=events),
            WebhookRequest(description=description, is_enabled=bool(number % 2)),
        )
        await asyncio.gather(*(webhooks.change(caller, made.id, each) for each in requests))
        after = (await webhooks.read(caller, made.id)).facts
        assert (after.url, after.events, after.description) == (url, events, description)
        assert after.status.value == ("enabled" if number % 2 else "disabled")

    noted = await changes_noted(database, webhook_id(made.id))
    assert sorted(noted) == sorted([(True, False), (False, True), (False, False)] * _ROUNDS)
