"""Accounts, keys, verifications, attempts, guards, remembered requests, budgets.

Revision ID: 20261122_first
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_first"
down_revision = None
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    _accounts()
    _verifications()
    _attempts()
    _limits()


def downgrade() -> None:
    for table in ("attempt", "verification", "number_guard", "idempotent_request", "api_key", "budget", "account"):
        op.drop_table(table)


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("short_codes_since", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.String(length=8), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("requests_per_s", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="api_key_environment"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index("ix_api_key_account_id", "api_key", ["account_id"], unique=False)
    op.create_table(
        "idempotent_request",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("verification_id", sa.Uuid(), nullable=False),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "environment", "key"),
    )
    op.create_index("ix_idempotent_request_created_at", "idempotent_request", ["created_at"], unique=False)


def _verifications() -> None:
    op.create_table(
        "verification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("number_sealed", sa.String(length=160), nullable=False),
        sa.Column("number_hash", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("brand", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=128), nullable=True),
        sa.Column("client_ip_hash", sa.String(length=32), nullable=True),
        sa.Column("code_length", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("max_checks", sa.Integer(), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("failures_before", sa.Integer(), nullable=False),
        sa.Column("next_check_at", MOMENT, nullable=True),
        sa.Column("attempts_made", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="verification_finished"),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="verification_environment"),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'canceled', 'expired', 'max_attempts_reached', 'failed')",
            name="verification_status",
        ),
        sa.CheckConstraint("checks BETWEEN 0 AND max_checks", name="verification_checks"),
        sa.CheckConstraint("replays BETWEEN 0 AND max_checks", name="verification_replays"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "verification_due",
        "verification",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "verification_listed", "verification", ["account_id", "environment", "created_at", "id"], unique=False
    )
    op.create_index(
        "verification_of_number",
        "verification",
        ["account_id", "environment", "number_hash", "created_at"],
        unique=False,
    )
    op.create_index(
        "verification_pending",
        "verification",
        ["account_id", "environment", "number_hash"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )


def _attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("verification_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("send", sa.Integer(), nullable=False),
        sa.Column("follows", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("carrier", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=16), nullable=False),
        sa.Column("pool_country", sa.String(length=2), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("sender_type", sa.String(length=16), nullable=False),
        sa.Column("receipt_wait_s", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("failure_class", sa.String(length=24), nullable=True),
        sa.Column("carrier_code", sa.String(length=64), nullable=True),
        sa.Column("carrier_message_id", sa.String(length=64), nullable=True),
        sa.Column("planned_at", MOMENT, nullable=False),
        sa.Column("submitting_at", MOMENT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("receipt_status", sa.String(length=16), nullable=True),
        sa.Column("receipt_at", MOMENT, nullable=True),
        sa.Column("proved_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "status IN ('planned', 'submitting', 'accepted', 'rejected', 'throttled', "
            "'unknown', 'delivered', 'undelivered', 'expired')",
            name="attempt_status",
        ),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["verification.id"], name="attempt_verification", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("follows", name="attempt_follows"),
        sa.UniqueConstraint("verification_id", "sequence", name="attempt_sequence"),
    )
    op.create_index(
        "attempt_planned",
        "attempt",
        ["planned_at"],
        unique=False,
        sqlite_where=sa.text("status = 'planned'"),
        postgresql_where=sa.text("status = 'planned'"),
    )


def _limits() -> None:
    op.create_table(
        "budget",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "hour"),
    )
    op.create_table(
        "number_guard",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("number_hash", sa.String(length=32), nullable=False),
        sa.Column("recent_sends", sa.String(length=130), nullable=False),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("next_send_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_check_at", MOMENT, nullable=True),
        sa.Column("locked_until", MOMENT, nullable=True),
        sa.Column("unlocked_at", MOMENT, nullable=True),
        sa.CheckConstraint("failures >= 0", name="number_guard_failures"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "environment", "number_hash"),
    )
