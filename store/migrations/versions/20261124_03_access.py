"""Status, plan and limits of accounts; scopes, allowlists and expiry of keys; the version of who may do what.

Keys made before keep what they could do, which is everything that an account may do with its own; they do not expire.

Revision ID: 20261124_03_access
Revises: 20261124_02_events
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_03_access"
down_revision = "20261124_02_events"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
_SCOPES = (
    "audit:read checks:write events:read keys numbers:read numbers:write routes sandbox usage:read "
    "verifications:read verifications:write webhooks"
)


def upgrade() -> None:
    _account()
    _key()
    op.create_table(
        "access_version",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="access_version_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO access_version (id, version) VALUES (1, 1)")


def downgrade() -> None:
    op.drop_table("access_version")
    for column in ("name", "scopes", "allowlist", "expires_at", "last_used_at"):
        op.drop_column("api_key", column)
    for column in ("status", "status_reason", "plan", "requests_per_s", "sends_per_day"):
        op.drop_column("account", column)


def _account() -> None:
    # As text: SQLite adds a column with its check in this form only, and takes both away again together.
    op.execute(
        "ALTER TABLE account ADD COLUMN status VARCHAR(16) DEFAULT 'active' NOT NULL CONSTRAINT account_status "
        "CHECK (status IN ('active', 'warned', 'restricted', 'suspended', 'closed'))"
    )
    op.add_column("account", sa.Column("status_reason", sa.String(length=200), nullable=True))
    op.add_column("account", sa.Column("plan", sa.String(length=32), nullable=False, server_default="standard"))
    op.execute(
        "ALTER TABLE account ADD COLUMN requests_per_s INTEGER CONSTRAINT account_requests_per_s "
        "CHECK (requests_per_s > 0)"
    )
    op.execute(
        "ALTER TABLE account ADD COLUMN sends_per_day INTEGER CONSTRAINT account_sends_per_day "
        "CHECK (sends_per_day >= 0)"
    )


def _key() -> None:
    op.add_column("api_key", sa.Column("name", sa.String(length=64), nullable=False, server_default=sa.text("''")))
    op.add_column("api_key", sa.Column("scopes", sa.String(length=400), nullable=False, server_default=sa.text("''")))
    op.add_column("api_key", sa.Column("allowlist", sa.String(length=2400), nullable=True))
    op.add_column("api_key", sa.Column("expires_at", MOMENT, nullable=True))
    op.add_column("api_key", sa.Column("last_used_at", MOMENT, nullable=True))
    op.execute(sa.text("UPDATE api_key SET scopes = :scopes").bindparams(scopes=_SCOPES))
