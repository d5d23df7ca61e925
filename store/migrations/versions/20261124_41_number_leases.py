"""When numbers have something due, what leases are for, and when their account was warned of their end.

Revision ID: 20261124_41_number_leases
Revises: 20261124_40_routes_of_attempts
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_41_number_leases"
down_revision = "20261124_40_routes_of_attempts"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
_IS_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("sender_number", sa.Column("due_at", MOMENT, nullable=True))
    op.create_index("sender_number_due", "sender_number", ["due_at"], sqlite_where=_IS_DUE, postgresql_where=_IS_DUE)
    op.add_column("number_lease", sa.Column("use", sa.String(length=16), nullable=False, server_default="dedicated"))
    op.add_column("number_lease", sa.Column("warned_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("number_lease", "warned_days")
    op.drop_column("number_lease", "use")
    op.drop_index("sender_number_due", table_name="sender_number")
    op.drop_column("sender_number", "due_at")
