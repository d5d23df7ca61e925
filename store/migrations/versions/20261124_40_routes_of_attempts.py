"""Under which routing lease an attempt leaves, what it costs, why its route was taken; learnt waits beside the health.

Revision ID: 20261124_40_routes_of_attempts
Revises: 20261124_30_operators
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_40_routes_of_attempts"
down_revision = "20261124_30_operators"
branch_labels = None
depends_on = None

_OF_HEALTH = ("receipt_wait_s", "verify_wait_s")


def upgrade() -> None:
    op.add_column("attempt", sa.Column("number_id", sa.Uuid(), nullable=True))
    op.add_column("attempt", sa.Column("fence", sa.BigInteger(), nullable=True))
    op.add_column("attempt", sa.Column("price_micros", sa.BigInteger(), nullable=True))
    op.add_column("attempt", sa.Column("explanation", sa.Text(), nullable=True))
    for name in _OF_HEALTH:
        op.add_column("route_health", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ("number_id", "fence", "price_micros", "explanation"):
        op.drop_column("attempt", name)
    for name in _OF_HEALTH:
        op.drop_column("route_health", name)
