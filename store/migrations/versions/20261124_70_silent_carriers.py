"""Since when a number's carrier has not answered what it was asked of the number.

Revision ID: 20261124_70_silent_carriers
Revises: 20261124_62_blocks
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_70_silent_carriers"
down_revision = "20261124_62_blocks"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    op.add_column("sender_number", sa.Column("silent_since", _MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("sender_number", "silent_since")
