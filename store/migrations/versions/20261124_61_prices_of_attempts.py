"""The currency of an attempt's price, which its number may change later.

Revision ID: 20261124_61_prices_of_attempts
Revises: 20261124_60_breakers_told
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_61_prices_of_attempts"
down_revision = "20261124_60_breakers_told"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("currency", sa.String(length=3), nullable=True))


def downgrade() -> None:
    op.drop_column("attempt", "currency")
