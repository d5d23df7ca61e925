"""Until when an attempt waits for a message part of its number or of its carrier's connection.

Revision ID: 20261124_42_waiting_attempts
Revises: 20261124_41_number_leases
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_42_waiting_attempts"
down_revision = "20261124_41_number_leases"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
_IS_WAITING = sa.text("status = 'planned' AND waits_until IS NOT NULL")


def upgrade() -> None:
    op.add_column("attempt", sa.Column("waits_until", _MOMENT, nullable=True))
    op.create_index(
        "attempt_waiting",
        "attempt",
        ["number_id", "waits_until"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )


def downgrade() -> None:
    op.drop_index("attempt_waiting", "attempt")
    op.drop_column("attempt", "waits_until")
