"""Addresses, as keyed hashes, from which a key was used in an hour.

Revision ID: 20261124_06_key_sightings
Revises: 20261124_05_numbers
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_06_key_sightings"
down_revision = "20261124_05_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_sighting",
        sa.Column("key_id", sa.String(length=8), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("address_hash", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "hour", "address_hash"),
    )


def downgrade() -> None:
    op.drop_table("key_sighting")
