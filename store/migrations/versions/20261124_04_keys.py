"""Wrapped keys and their rotations, the salt of each person's key, the version of each verification's code key.

Revision ID: 20261124_04_keys
Revises: 20261124_03_access
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_04_keys"
down_revision = "20261124_03_access"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
OF_INSTANCE, OF_ACCOUNT = sa.text("account_id IS NULL"), sa.text("account_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "wrapped_key",
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.String(), nullable=False),
        sa.Column("wrapped_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("(use = 'data') = (account_id IS NOT NULL)", name="wrapped_key_owner"),
        sa.CheckConstraint("version >= 1", name="wrapped_key_version"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("kid"),
    )
    for name, columns, where in (
        ("wrapped_key_of_instance", ["use", "version"], OF_INSTANCE),
        ("wrapped_key_of_account", ["account_id", "version"], OF_ACCOUNT),
    ):
        op.create_index(name, "wrapped_key", columns, unique=True, sqlite_where=where, postgresql_where=where)
    op.create_index("wrapped_key_added", "wrapped_key", ["created_at"])
    op.create_table(
        "key_rotation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("number_guard", sa.Column("person_salt", sa.String(length=32), nullable=True))
    # Processes of the version before go on writing while this one begins, and theirs is the first version.
    op.add_column("verification", sa.Column("code_key_version", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("verification", "code_key_version")
    op.drop_column("number_guard", "person_salt")
    op.drop_table("key_rotation")
    op.drop_table("wrapped_key")
