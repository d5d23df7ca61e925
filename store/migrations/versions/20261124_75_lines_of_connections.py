"""Messages that wait are found by the connection that they are to leave through.

Revision ID: 20261124_75_lines_of_connections
Revises: 20261124_72_rotation
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_75_lines_of_connections"
down_revision = "20261124_72_rotation"
branch_labels = None
depends_on = None

_IS_WAITING = sa.text("status = 'planned' AND waits_until IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "attempt_line",
        "attempt",
        ["carrier", "region", "waits_until"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )


def downgrade() -> None:
    op.drop_index("attempt_line", "attempt")
