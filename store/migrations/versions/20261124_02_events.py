"""Events: what happened, told to the account it concerns.

Revision ID: 20261124_02_events
Revises: 20261124_01_audit
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_02_events"
down_revision = "20261124_01_audit"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
# SQLite hands out numbers only to a column that is called INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=48), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verification_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("to_masked", sa.String(length=20), nullable=True),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id", name="event_id"),
        sa.UniqueConstraint("verification_id", "sequence", name="event_sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("event_order", "event", ["account_id", "environment", "transaction", "number"], unique=False)


def downgrade() -> None:
    op.drop_table("event")
