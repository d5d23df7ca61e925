"""Which accounts have numbers replaced that are set aside, and how often numbers are told "too fast".

Revision ID: 20261124_72_rotation
Revises: 20261124_71_probing_numbers
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_72_rotation"
down_revision = "20261124_71_probing_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("route_policy", sa.Column("is_rotated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("number_health", sa.Column("throttled", sa.Float(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column("number_health", "throttled")
    op.drop_column("route_policy", "is_rotated")
