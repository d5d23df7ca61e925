"""When it was told that a breaker is open, so that it is told once.

Revision ID: 20261124_60_breakers_told
Revises: 20261124_54_resends
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_60_breakers_told"
down_revision = "20261124_54_resends"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    op.add_column("route_health", sa.Column("breaker_told_at", _MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("route_health", "breaker_told_at")
