"""Blocks of numbers and accounts, so that each is told once when it begins and once when it ends.

Revision ID: 20261124_62_blocks
Revises: 20261124_61_prices_of_attempts
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_62_blocks"
down_revision = "20261124_61_prices_of_attempts"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
_OPEN = sa.text("lifted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "block",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("verification_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=True),
        sa.Column("lifted_at", _MOMENT, nullable=True),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="block_environment"),
        sa.CheckConstraint("rule IN ('failures_in_a_row', 'account_status')", name="block_rule"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "block_open",
        "block",
        ["account_id", "environment", "rule", "subject"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("block_over", "block", ["until"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("block_lifted", "block", ["lifted_at"])


def downgrade() -> None:
    op.drop_table("block")
