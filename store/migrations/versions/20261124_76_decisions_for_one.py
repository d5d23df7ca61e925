"""A decision about a number that an account had alone says whose it was, and is told to nobody else.

Revision ID: 20261124_76_decisions_for_one
Revises: 20261124_75_lines_of_connections
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_76_decisions_for_one"
down_revision = "20261124_75_lines_of_connections"
branch_labels = None
depends_on = None

# Whose lease, for itself, it was at that time. Both ways of keeping an id are 32 hex digits without the dashes.
_WHOSE = """
    UPDATE route_decision SET account_id = (
        SELECT l.account_id FROM number_lease l
        WHERE l.use = 'dedicated'
        AND 'num_' || replace(CAST(l.number_id AS VARCHAR(36)), '-', '') = route_decision.subject
        AND l.started_at <= route_decision.decided_at
        AND (
            l.ended_at IS NULL OR l.ended_at >= route_decision.decided_at
            -- The lease of a number that is replaced ends a moment before that is written down.
            OR route_decision.kind = 'number.rotated'
        )
        ORDER BY l.started_at DESC LIMIT 1
    )
    WHERE subject LIKE 'num!_%' ESCAPE '!'
"""


def upgrade() -> None:
    op.add_column("route_decision", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.execute(_WHOSE)


def downgrade() -> None:
    op.drop_column("route_decision", "account_id")
