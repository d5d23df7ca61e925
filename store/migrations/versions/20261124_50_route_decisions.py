"""Decisions about the health of routes and numbers, each with its evidence.

Revision ID: 20261124_50_route_decisions
Revises: 20261124_46_learning
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_50_route_decisions"
down_revision = "20261124_46_learning"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    op.create_table(
        "route_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=96), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("decided_at", _MOMENT, nullable=False),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="route_decision_environment"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("route_decision_listed", "route_decision", ["environment", "country", "decided_at"])


def downgrade() -> None:
    op.drop_table("route_decision")
