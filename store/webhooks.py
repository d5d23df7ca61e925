"""Endpoints: made, read, changed, removed; and woken when something happened that they are to be told."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import Position
from domain.statuses import Environment
from domain.webhooks import BOTH_SECRETS_S, DeliveryStatus, SealedSecrets, WebhookFacts, WebhookStatus
from rules.webhooks.schedule import FULL_PACE, DisabledReason
from store.event_order import CAN_BE_READ
from store.event_tables import EventRow
from store.tables import Account, table_of
from store.times import fixed, now, now_plus
from store.webhook_tables import Webhook, WebhookDelivery

_webhook = table_of(Webhook)
_delivery = table_of(WebhookDelivery)
_event = table_of(EventRow)
_account = table_of(Account)
FACTS = (*_webhook.c, now().label("read_at"))
_OF_ACCOUNT = and_(
    _webhook.c.account_id == bindparam("of_account"), _webhook.c.environment == bindparam("of_environment")
)
_ONE = and_(_webhook.c.id == bindparam("of_id"), _OF_ACCOUNT)
_READ = select(*FACTS).where(_ONE)
_HOLD = _READ.with_for_update()
_LIST = select(*FACTS).where(_OF_ACCOUNT).order_by(_webhook.c.created_at, _webhook.c.id)
_COUNT = select(func.count(literal(1))).select_from(_webhook).where(_OF_ACCOUNT)
_HOLD_ACCOUNT = select(_account.c.id).where(_account.c.id == bindparam("of_account")).with_for_update()
_INSERT = (
    insert(_webhook)
    .values(status=WebhookStatus.ENABLED.value, created_at=now(), failures=0, pace=FULL_PACE)
    .returning(*FACTS)
)
_CHANGE = (
    update(_webhook)
    .where(_ONE)
    .values(url=bindparam("to_url"), events=bindparam("to_events"), description=bindparam("to_description"))
    .returning(*FACTS)
)
# Switched on again it begins with a clean record; what waits goes out at once.
_AFRESH = {"failures": 0, "failing_since": None, "probe_at": None, "quiet_until": None, "pace": FULL_PACE}
_ENABLE = update(_webhook).where(_ONE).values(status=WebhookStatus.ENABLED.value, disabled_reason=None, **_AFRESH)
_DISABLE = (
    update(_webhook)
    .where(_ONE, _webhook.c.status == fixed(WebhookStatus.ENABLED))
    .values(status=WebhookStatus.DISABLED.value, disabled_reason=DisabledReason.BY_ACCOUNT.value)
)
# A secret that was promised to sign for a while is not cut off by the next rotation; of many at once one comes first.
_ROTATE = (
    update(_webhook)
    .where(_ONE, or_(_webhook.c.previous_until.is_(None), _webhook.c.previous_until <= now()))
    .values(
        secret_sealed=bindparam("to_sealed"),
        previous_sealed=_webhook.c.secret_sealed,
        previous_until=now_plus(BOTH_SECRETS_S),
    )
    .returning(*FACTS)
)
_REPLACE = (
    update(_webhook)
    .where(_ONE, _webhook.c.secret_sealed == bindparam("from_sealed"))
    .values(secret_sealed=bindparam("to_sealed"), previous_sealed=None, previous_until=None)
    .returning(*FACTS)
)
_DELETE = delete(_webhook).where(_ONE)
_IS_ENABLED = _webhook.c.status == fixed(WebhookStatus.ENABLED)
_MAY_BE_SENT = and_(
    _IS_ENABLED,
    or_(_webhook.c.probe_at.is_(None), _webhook.c.probe_at <= now()),
    or_(_webhook.c.quiet_until.is_(None), _webhook.c.quiet_until <= now()),
)
# A dispatcher that was told a moment ago is at work on it; told again, it would only have more to read.
WOKEN_AT_MOST_EVERY_S = 1
_NOT_JUST_WOKEN = or_(_webhook.c.woken_at.is_(None), _webhook.c.woken_at <= now_plus(-WOKEN_AT_MOST_EVERY_S))
_HAS_NEWS = (
    select(literal(1))
    .where(
        _event.c.account_id == _webhook.c.account_id,
        _event.c.environment == _webhook.c.environment,
        tuple_(_webhook.c.cursor_transaction, _webhook.c.cursor_number) < tuple_(_event.c.transaction, _event.c.number),
        CAN_BE_READ,
    )
    .exists()
)
# What a healthy dispatcher would have sent by now: its signal got lost, or it did.
OVERDUE_S = 10
_HAS_OVERDUE = (
    select(literal(1))
    .where(
        _delivery.c.webhook_id == _webhook.c.id,
        _delivery.c.status == fixed(DeliveryStatus.PENDING),
        _delivery.c.next_try_at < now_plus(-OVERDUE_S),
    )
    .exists()
)
_WITH_NEWS = select(_webhook.c.id).where(_MAY_BE_SENT, _NOT_JUST_WOKEN, _HAS_NEWS)
_OVERDUE = select(_webhook.c.id).where(_MAY_BE_SENT, _HAS_OVERDUE)
_WAKE = (
    update(_webhook)
    .where(_webhook.c.id == bindparam("of_id"), _NOT_JUST_WOKEN)
    .values(woken_at=now())
    .returning(_webhook.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """An endpoint about to get its row; it hears of what happens after `cursor`."""

    id: UUID
    account_id: UUID
    environment: Environment
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str | None
    secret_sealed: str = field(repr=False)
    ed25519_sealed: str | None = field(default=None, repr=False)
    cursor: Position


class Whose(dict[str, Any]):
    """Whose endpoints: the parameters that name an account in an environment."""

    def __init__(self, *, account_id: UUID, environment: Environment) -> None:
        super().__init__(of_account=account_id, of_environment=environment.value)


async def count_held(connection: AsyncConnection, whose: Whose) -> int:
    """Return how many endpoints there are, and keep others from adding one until this transaction ends."""
    await connection.execute(_HOLD_ACCOUNT, whose)
    return int((await connection.execute(_COUNT, whose)).scalar_one())


async def insert_webhook(connection: AsyncConnection, new: NewWebhook) -> WebhookFacts:
    """Insert an endpoint."""
    values = {
        "id": new.id,
        "account_id": new.account_id,
        "environment": new.environment.value,
        "url": new.url,
        "events": json.dumps(new.events),
        "description": new.description,
        "secret_sealed": new.secret_sealed,
        "ed25519_sealed": new.ed25519_sealed,
        "cursor_transaction": new.cursor.transaction,
        "cursor_number": new.cursor.number,
    }
    return webhook_facts((await connection.execute(_INSERT, values)).one())


async def read_webhook(connection: AsyncConnection, webhook_id: UUID, whose: Whose) -> WebhookFacts | None:
    """Return an endpoint of one account in one environment."""
    row = (await connection.execute(_READ, {**whose, "of_id": webhook_id})).one_or_none()
    return None if row is None else webhook_facts(row)


async def hold_webhook(connection: AsyncConnection, webhook_id: UUID, whose: Whose) -> WebhookFacts | None:
    """Return an endpoint, and keep others from changing it until this transaction ends."""
    row = (await connection.execute(_HOLD, {**whose, "of_id": webhook_id})).one_or_none()
    return None if row is None else webhook_facts(row)


async def list_webhooks(connection: AsyncConnection, whose: Whose) -> list[WebhookFacts]:
    """Return an account's endpoints, oldest first."""
    return [webhook_facts(row) for row in await connection.execute(_LIST, whose)]


async def change_webhook(
    connection: AsyncConnection, facts: WebhookFacts, whose: Whose, *, is_enabled: bool | None
) -> WebhookFacts | None:
    """Write an endpoint's URL, filter, description as they are in `facts`, and switch it on or off.

    `facts` are those of an endpoint that this transaction holds; of others a change in between would be undone.
    """
    one = {**whose, "of_id": facts.id}
    if is_enabled is not None:
        await connection.execute(_ENABLE if is_enabled else _DISABLE, one)
    values = {"to_url": facts.url, "to_events": json.dumps(facts.events), "to_description": facts.description}
    row = (await connection.execute(_CHANGE, {**one, **values})).one_or_none()
    return None if row is None else webhook_facts(row)


async def rotate_secret(
    connection: AsyncConnection, webhook_id: UUID, whose: Whose, *, sealed: str
) -> WebhookFacts | None:
    """Put another secret in the place of an endpoint's; the old one signs beside it for a day.

    None, and nothing changed, while the secret of the rotation before has its day.
    """
    values = {**whose, "of_id": webhook_id, "to_sealed": sealed}
    row = (await connection.execute(_ROTATE, values)).one_or_none()
    return None if row is None else webhook_facts(row)


async def replace_secret(
    connection: AsyncConnection, facts: WebhookFacts, whose: Whose, *, sealed: str
) -> WebhookFacts | None:
    """Put a secret in the place of all that sign; None, and nothing changed, when it is not as in `facts` any more."""
    values = {**whose, "of_id": facts.id, "from_sealed": facts.sealed.current, "to_sealed": sealed}
    row = (await connection.execute(_REPLACE, values)).one_or_none()
    return None if row is None else webhook_facts(row)


async def delete_webhook(connection: AsyncConnection, webhook_id: UUID, whose: Whose) -> bool:
    """Remove an endpoint with all that it was to be sent."""
    return bool((await connection.execute(_DELETE, {**whose, "of_id": webhook_id})).rowcount)


async def webhooks_with_news(connection: AsyncConnection) -> list[UUID]:
    """Return endpoints whose account has events that they have not been given, and that may be sent something."""
    return list((await connection.execute(_WITH_NEWS)).scalars())


async def overdue_webhooks(connection: AsyncConnection) -> list[UUID]:
    """Return endpoints that should have been sent something seconds ago: nobody is there to do it."""
    return list((await connection.execute(_OVERDUE)).scalars())


async def take_wake(connection: AsyncConnection, webhook_id: UUID) -> bool:
    """Say whether it is for this caller to wake an endpoint's dispatcher: once a second, whoever asks."""
    return (await connection.execute(_WAKE, {"of_id": webhook_id})).one_or_none() is not None


def webhook_facts(row: Any) -> WebhookFacts:
    """Return the facts of a row that was selected with `FACTS`."""
    return WebhookFacts(
        id=row.id,
        account_id=row.account_id,
        environment=Environment(row.environment),
        url=row.url,
        events=tuple(json.loads(row.events)),
        description=row.description,
        status=WebhookStatus(row.status),
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
        sealed=SealedSecrets(
            current=row.secret_sealed,
            previous=row.previous_sealed,
            previous_until=row.previous_until,
            ed25519=row.ed25519_sealed,
        ),
        cursor=Position(transaction=row.cursor_transaction, number=row.cursor_number),
        failures=row.failures,
        failing_since=row.failing_since,
        probe_at=row.probe_at,
        quiet_until=row.quiet_until,
        pace=row.pace,
        read_at=row.read_at,
    )
