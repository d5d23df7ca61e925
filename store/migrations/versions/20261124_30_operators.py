"""Operators, their invitations, sessions and recovery codes; tries; approvals; who made a key.

Revision ID: 20261124_30_operators
Revises: 20261124_20_webhooks
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_30_operators"
down_revision = "20261124_20_webhooks"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
_PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    op.add_column("api_key", sa.Column("made_by", sa.String(length=80), nullable=True))
    _operators()
    _sessions()
    op.create_table(
        "tries",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("recent", sa.String(length=105), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    _approvals()


def downgrade() -> None:
    for table in ("approval", "tries", "recovery_code", "operator_session", "operator_invitation", "operator"):
        op.drop_table(table)
    op.drop_column("api_key", "made_by")


def _operators() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_sealed", sa.String(length=512), nullable=False),
        sa.Column("email_hash", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("totp_sealed", sa.String(length=200), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("allowlist", sa.String(length=2400), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("enrolled_at", MOMENT, nullable=True),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'compliance', 'owner')", name="operator_role"),
        sa.CheckConstraint("status IN ('invited', 'active', 'disabled')", name="operator_status"),
        sa.CheckConstraint(
            "status <> 'active' OR (password_hash IS NOT NULL AND totp_sealed IS NOT NULL)", name="operator_factors"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("operator_email", "operator", ["email_hash"], unique=True)
    op.create_table(
        "operator_invitation",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"]),
        sa.PrimaryKeyConstraint("operator_id"),
        sa.UniqueConstraint("token_hash"),
    )


def _sessions() -> None:
    op.create_table(
        "operator_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("address_hash", sa.String(length=32), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("stepped_up_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_operator_session_operator_id", "operator_session", ["operator_id"])
    op.create_table(
        "recovery_code",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"]),
        sa.PrimaryKeyConstraint("operator_id", "code_hash"),
    )


def _approvals() -> None:
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("body_sealed", sa.String(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'approved', 'rejected', 'used')", name="approval_status"),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="approval_environment"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "approval_pending",
        "approval",
        ["actor", "operation", "path", "body_hash"],
        unique=True,
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index("approval_listed", "approval", ["account_id", "environment", "id"])
