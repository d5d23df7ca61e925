"""How long an attempt's code is awaited, and whether another attempt follows then; whether an account wants that.

Revision ID: 20261124_54_resends
Revises: 20261124_51_chains_begun
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_54_resends"
down_revision = "20261124_51_chains_begun"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("verify_wait_s", sa.Integer(), nullable=True))
    for table in ("attempt", "route_policy"):
        op.add_column(table, sa.Column("is_resent", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("attempt", "verify_wait_s")
    for table in ("attempt", "route_policy"):
        op.drop_column(table, "is_resent")
