"""The tables of webhooks: endpoints, what each is to be sent, and every try."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from store.event_tables import NUMBER
from store.times import UtcDateTime

_WAITING = text("status = 'pending'")


class Webhook(SQLModel, table=True):
    """An endpoint of an account. It has been given every event up to its cursor that its filter lets through.

    `failures` are those in a row; while they are many, `probe_at` says when the next one is risked. Nothing is sent
    before `quiet_until`. `woken_at` is when its dispatcher was last told that there is something to do.
    """

    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'production')", name="webhook_environment"),
        CheckConstraint("status IN ('enabled', 'disabled')", name="webhook_status"),
        CheckConstraint("(status = 'disabled') = (disabled_reason IS NOT NULL)", name="webhook_disabled"),
        CheckConstraint("pace >= 1", name="webhook_pace"),
        Index("webhook_of_account", "account_id", "environment"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    environment: str = Field(max_length=16)
    url: str = Field(max_length=2048)
    events: str = Field(max_length=2048)
    description: str | None = Field(default=None, max_length=128)
    status: str = Field(max_length=16)
    disabled_reason: str | None = Field(default=None, max_length=16)
    created_at: datetime = Field(sa_type=UtcDateTime)
    secret_sealed: str = Field(max_length=400)
    previous_sealed: str | None = Field(default=None, max_length=400)
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ed25519_sealed: str | None = Field(default=None, max_length=400)
    cursor_transaction: int = Field(sa_type=BigInteger)
    cursor_number: int = Field(sa_type=BigInteger)
    woken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failures: int = 0
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probe_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    quiet_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pace: int


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint. `tries` count towards the schedule, `made` is how often it was posted in all."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'given_up')", name="webhook_delivery_status"),
        ForeignKeyConstraint(["webhook_id"], ["webhook.id"], ondelete="CASCADE", name="webhook_delivery_webhook"),
        Index(
            "webhook_delivery_due",
            "webhook_id",
            "next_try_at",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("webhook_delivery_listed", "webhook_id", "number"),
        Index("webhook_delivery_old", "created_at"),
    )

    webhook_id: UUID = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=NUMBER)
    status: str = Field(max_length=16)
    tries: int = 0
    made: int = 0
    next_try_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebhookTry(SQLModel, table=True):
    """One post: what was answered, or why nothing was; `head` is the first of the answer's body."""

    __tablename__ = "webhook_try"
    __table_args__ = (
        ForeignKeyConstraint(
            ["webhook_id", "event_id"],
            ["webhook_delivery.webhook_id", "webhook_delivery.event_id"],
            ondelete="CASCADE",
            name="webhook_try_delivery",
        ),
    )

    webhook_id: UUID = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    try_number: int = Field(primary_key=True)
    tried_at: datetime = Field(sa_type=UtcDateTime)
    status: int | None = None
    failure: str | None = Field(default=None, max_length=32)
    latency_ms: int
    head: str = Field(max_length=1024)
