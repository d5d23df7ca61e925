"""What is learnt of attempts: how far each was, the latest outcomes of each group of routes, and of each number.

Revision ID: 20261124_46_learning
Revises: 20261124_45_oauth
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_46_learning"
down_revision = "20261124_45_oauth"
branch_labels = None
depends_on = None

_IS_OPEN = sa.text("learnt < 2")


def upgrade() -> None:
    # Null is for attempts of a routes file and for those before this version: nothing is learnt of them.
    op.add_column("attempt", sa.Column("learnt", sa.SmallInteger(), nullable=True))
    op.create_index("attempt_unlearnt", "attempt", ["answered_at"], sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
    recent = sa.Column("recent", sa.String(length=60), nullable=False, server_default=sa.text("''"))
    op.add_column("route_health", recent)
    op.execute("ALTER TABLE route_health RENAME COLUMN demoted_until TO demoted_at")
    op.create_table(
        "number_health",
        sa.Column("number_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("proved", sa.Float(), nullable=False),
        sa.Column("judged", sa.Float(), nullable=False),
        sa.Column("received", sa.Float(), nullable=False),
        sa.Column("accepted", sa.Float(), nullable=False),
        sa.Column("blocked", sa.Float(), nullable=False),
        sa.Column("spam", sa.Float(), nullable=False),
        sa.Column("answered", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["number_id"], ["sender_number.id"], ondelete="CASCADE", name="number_health_number"),
        sa.PrimaryKeyConstraint("number_id"),
    )


def downgrade() -> None:
    op.drop_table("number_health")
    op.execute("ALTER TABLE route_health RENAME COLUMN demoted_at TO demoted_until")
    op.drop_column("route_health", "recent")
    op.drop_index("attempt_unlearnt", "attempt")
    op.drop_column("attempt", "learnt")
