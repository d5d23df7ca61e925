"""Since when a number that was set aside for its health is in service on trial.

Revision ID: 20261124_71_probing_numbers
Revises: 20261124_70_silent_carriers
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_71_probing_numbers"
down_revision = "20261124_70_silent_carriers"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    op.add_column("sender_number", sa.Column("probing_since", _MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("sender_number", "probing_since")
