"""Clients of the token endpoint, their opaque tokens, and what was revoked or used once.

Revision ID: 20261124_45_oauth
Revises: 20261124_42_waiting_attempts
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_45_oauth"
down_revision = "20261124_42_waiting_attempts"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def upgrade() -> None:
    _client()
    op.create_table(
        "oauth_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(length=8), nullable=False),
        sa.Column("scopes", sa.String(length=400), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.client_id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_oauth_token_client_id"), "oauth_token", ["client_id"])
    op.create_table(
        "revoked_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "used_assertion",
        sa.Column("client_id", sa.String(length=8), nullable=False),
        sa.Column("jti_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti_hash"),
    )
    for table in ("oauth_token", "revoked_token", "used_assertion"):
        op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])


def downgrade() -> None:
    for table in ("used_assertion", "revoked_token", "oauth_token", "oauth_client"):
        op.drop_table(table)


def _client() -> None:
    op.create_table(
        "oauth_client",
        sa.Column("client_id", sa.String(length=8), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("keys", sa.String(), nullable=True),
        sa.Column("scopes", sa.String(length=400), nullable=False),
        sa.Column("allowlist", sa.String(length=2400), nullable=True),
        sa.Column("token_format", sa.String(length=8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("made_by", sa.String(length=80), nullable=True),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="oauth_client_environment"),
        sa.CheckConstraint("token_format IN ('opaque', 'jwt')", name="oauth_client_token_format"),
        sa.CheckConstraint("(digest IS NULL) <> (keys IS NULL)", name="oauth_client_proof"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index(op.f("ix_oauth_client_account_id"), "oauth_client", ["account_id"])
