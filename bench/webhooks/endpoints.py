"""Endpoints of a bench or a drill, events for them, and a clock of theirs that can be moved on."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from bench.chaos.installation import Installation
from domain.errors import TemporalUnavailableError
from domain.event_types import EventType
from domain.events import NewEvent
from domain.facts import Caller
from domain.ids import event_id, new_id
from domain.statuses import Environment
from rules.webhooks.targets import TargetPolicy
from runtime.setup import webhook_secrets
from services.webhook_dispatchers import DispatcherWorkflows
from services.webhooks import WebhookRequest, Webhooks
from store.accounts import find_account
from store.events import emit
from store.tables import table_of
from store.webhook_tables import Webhook

# How many events one verification of a bench has, as one that failed over and was approved has.
OF_ONE = 5
_webhook = table_of(Webhook)
_MOVED = ("failing_since", "probe_at", "quiet_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The endpoints of one account on an installation."""

    site: Installation
    caller: Caller
    webhooks: Webhooks
    dispatchers: DispatcherWorkflows

    @classmethod
    async def on(cls, site: Installation) -> "Endpoints":
        """Return what makes endpoints for the account that drills use."""
        async with site.database.reading() as connection:
            account_id = await find_account(connection, "ACME")
        if account_id is None:
            raise RuntimeError("the installation has no account")
        return cls(
            site=site,
            caller=Caller(
                account_id=account_id, account_name="ACME", environment=Environment.SANDBOX, key_id="benchkey"
            ),
            webhooks=Webhooks(
                database=site.database,
                secrets=webhook_secrets(site.keys),
                policy=TargetPolicy(is_loopback_allowed=True),
            ),
            dispatchers=DispatcherWorkflows(site.temporal_client),
        )

    def of(self, account_id: UUID) -> "Endpoints":
        """Return the same for another account."""
        return replace(self, caller=replace(self.caller, account_id=account_id))

    async def make(self, url: str) -> UUID:
        """Return the id of an endpoint that hears of wrong codes, which is what `happen` makes."""
        made = await self.webhooks.create(self.caller, WebhookRequest(url=url, events=("check.failed",)))
        return made.facts.id

    async def happen(self, verifications: int, *, of_one: int = OF_ONE) -> list[str]:
        """Have five events happen to each of some verifications, one transaction for each; return their ids."""
        ids: list[str] = []
        for _ in range(verifications):
            events = _of_one(self.caller, count=of_one)
            async with self.site.database.transaction() as connection:
                await emit(connection, *events)
            ids += [event_id(each.id) for each in events if each.id is not None]
        return ids

    async def down(self) -> list[UUID]:
        """Return the endpoints of the account that wait for their next probe."""
        query = select(_webhook.c.id).where(
            _webhook.c.account_id == self.caller.account_id, _webhook.c.probe_at.is_not(None)
        )
        async with self.site.database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def time_passes(self, webhooks: Sequence[UUID], *, seconds: float) -> None:
        """Let seconds go by for endpoints, and have their dispatchers look: their own timers go by the real clock."""
        async with self.site.database.transaction() as connection:
            rows = (await connection.execute(select(_webhook).where(_webhook.c.id.in_(webhooks)))).mappings().all()
            for row in rows:
                earlier = {name: row[name] - timedelta(seconds=seconds) for name in _MOVED if row[name] is not None}
                if earlier:
                    await connection.execute(update(_webhook).where(_webhook.c.id == row["id"]).values(**earlier))
        for each in webhooks:
            # Temporal may be slow while others have the cores; upkeep would come to the endpoint too, a minute later.
            with suppress(TemporalUnavailableError):
                await self.dispatchers.wake(each)


def _of_one(caller: Caller, *, count: int) -> list[NewEvent]:
    verification = new_id()
    return [
        NewEvent(
            id=new_id(),
            type=EventType.CHECK_FAILED,
            account_id=caller.account_id,
            environment=caller.environment,
            verification_id=verification,
            to="+44••••••0123",
            data={"country": "GB", "checks": at + 1, "checks_left": OF_ONE - at - 1},
        )
        for at in range(count)
    ]
