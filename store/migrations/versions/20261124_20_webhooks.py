"""Webhooks: endpoints, what each is to be sent, every try.

Revision ID: 20261124_20_webhooks
Revises: 20261124_06_key_sightings
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_20_webhooks"
down_revision = "20261124_06_key_sightings"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _endpoints()
    _deliveries()


def downgrade() -> None:
    for table in ("webhook_try", "webhook_delivery", "webhook"):
        op.drop_table(table)


def _endpoints() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("events", sa.String(length=2048), nullable=False),
        sa.Column("description", sa.String(length=128), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("disabled_reason", sa.String(length=16), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("secret_sealed", sa.String(length=400), nullable=False),
        sa.Column("previous_sealed", sa.String(length=400), nullable=True),
        sa.Column("previous_until", MOMENT, nullable=True),
        sa.Column("ed25519_sealed", sa.String(length=400), nullable=True),
        sa.Column("cursor_transaction", sa.BigInteger(), nullable=False),
        sa.Column("cursor_number", sa.BigInteger(), nullable=False),
        sa.Column("woken_at", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("probe_at", MOMENT, nullable=True),
        sa.Column("quiet_until", MOMENT, nullable=True),
        sa.Column("pace", sa.Integer(), nullable=False),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="webhook_environment"),
        sa.CheckConstraint("status IN ('enabled', 'disabled')", name="webhook_status"),
        sa.CheckConstraint("(status = 'disabled') = (disabled_reason IS NOT NULL)", name="webhook_disabled"),
        sa.CheckConstraint("pace >= 1", name="webhook_pace"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_of_account", "webhook", ["account_id", "environment"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'given_up')", name="webhook_delivery_status"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="webhook_delivery_webhook", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("webhook_id", "event_id"),
    )
    op.create_index(
        "webhook_delivery_due",
        "webhook_delivery",
        ["webhook_id", "next_try_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("webhook_delivery_listed", "webhook_delivery", ["webhook_id", "number"], unique=False)
    op.create_index("webhook_delivery_old", "webhook_delivery", ["created_at"], unique=False)
    op.create_table(
        "webhook_try",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=1024), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id", "event_id"],
            ["webhook_delivery.webhook_id", "webhook_delivery.event_id"],
            name="webhook_try_delivery",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", "event_id", "try_number"),
    )
