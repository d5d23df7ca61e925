"""Numbers and routes: senders, their leases, where they may be used, what accounts want, what is known of routes.

Revision ID: 20261124_05_numbers
Revises: 20261124_04_keys
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_05_numbers"
down_revision = "20261124_04_keys"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
TABLES = (
    "number_lease",
    "routing_lease",
    "sender_number",
    "sender_authorisation",
    "capacity_bucket",
    "route_policy",
    "route_health",
)


def upgrade() -> None:
    _numbers()
    _leases()
    _routes()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _numbers() -> None:
    op.create_table(
        "sender_number",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("sender_type", sa.String(length=16), nullable=False),
        sa.Column("carrier", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=16), nullable=False),
        sa.Column("capabilities", sa.String(length=64), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("monthly_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_reason", sa.String(length=64), nullable=True),
        sa.Column("state_until", MOMENT, nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("relapses", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="sender_number_environment"),
        sa.CheckConstraint(
            "state IN ('reserved', 'provisioning', 'registering', 'available', 'leased', 'draining', "
            "'quarantined', 'suspended', 'releasing', 'aging', 'retired')",
            name="sender_number_state",
        ),
        sa.CheckConstraint(
            "state NOT IN ('reserved', 'leased') OR account_id IS NOT NULL", name="sender_number_holder"
        ),
        sa.CheckConstraint(
            "state NOT IN ('reserved', 'quarantined', 'aging') OR state_until IS NOT NULL", name="sender_number_until"
        ),
        sa.CheckConstraint("price_micros >= 0 AND monthly_micros >= 0", name="sender_number_prices"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("environment", "country", "carrier", "sender", name="sender_number_once"),
    )
    op.create_index("sender_number_account", "sender_number", ["account_id"], unique=False)
    op.create_index("sender_number_pool", "sender_number", ["environment", "country", "state"], unique=False)
    op.create_table(
        "sender_authorisation",
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("carrier", sa.String(length=32), nullable=False),
        sa.Column("valid_since", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=True),
        sa.Column("ground", sa.String(length=200), nullable=False),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="sender_authorisation_environment"),
        sa.CheckConstraint("valid_until IS NULL OR valid_until > valid_since", name="sender_authorisation_period"),
        sa.PrimaryKeyConstraint("environment", "country", "sender", "carrier"),
    )
    op.create_table(
        "capacity_bucket",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("part_us", sa.BigInteger(), nullable=False),
        sa.Column("slack_us", sa.BigInteger(), nullable=False),
        sa.Column("free_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("part_us >= 1 AND slack_us >= 0", name="capacity_bucket_rate"),
        sa.PrimaryKeyConstraint("name"),
    )


def _leases() -> None:
    op.create_table(
        "routing_lease",
        sa.Column("number_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint("fence >= 0", name="routing_lease_fence"),
        sa.ForeignKeyConstraint(["number_id"], ["sender_number.id"], name="routing_lease_number", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number_id"),
    )
    op.create_index("routing_lease_free", "routing_lease", ["expires_at"], unique=False)
    op.create_table(
        "number_lease",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("period_days", sa.Integer(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("is_renewed", sa.Boolean(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="number_lease_ended"),
        sa.CheckConstraint("expires_at > started_at", name="number_lease_period"),
        sa.CheckConstraint("period_days >= 1 AND price_micros >= 0", name="number_lease_terms"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(["number_id"], ["sender_number.id"], name="number_lease_number"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "number_lease_due",
        "number_lease",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("number_lease_of_account", "number_lease", ["account_id", "environment", "ended_at"], unique=False)
    op.create_index(
        "number_lease_open",
        "number_lease",
        ["number_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _routes() -> None:
    op.create_table(
        "route_policy",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("primary_pool", sa.String(length=2), nullable=True),
        sa.Column("backups", sa.String(length=60), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("max_carriers", sa.Integer(), nullable=False),
        sa.Column("cost_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("receipt_wait_s", sa.Integer(), nullable=True),
        sa.Column("verify_wait_s", sa.Integer(), nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="route_policy_environment"),
        sa.CheckConstraint("mode IN ('ordered', 'adaptive', 'cheapest', 'best')", name="route_policy_mode"),
        sa.CheckConstraint(
            "primary_pool IS NULL OR ' ' || backups || ' ' NOT LIKE '% ' || primary_pool || ' %'",
            name="route_policy_backups",
        ),
        sa.CheckConstraint("NOT is_allowed OR primary_pool IS NOT NULL", name="route_policy_primary"),
        sa.CheckConstraint("cost_cap_micros IS NULL OR cost_cap_micros >= 0", name="route_policy_cost_cap"),
        sa.CheckConstraint("max_attempts BETWEEN 1 AND 3 AND max_carriers BETWEEN 1 AND 3", name="route_policy_caps"),
        sa.CheckConstraint(
            "receipt_wait_s IS NULL OR receipt_wait_s BETWEEN 8 AND 30", name="route_policy_receipt_wait"
        ),
        sa.CheckConstraint("verify_wait_s IS NULL OR verify_wait_s BETWEEN 20 AND 60", name="route_policy_verify_wait"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "environment", "country"),
    )
    op.create_table(
        "route_health",
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("route_group", sa.String(length=80), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("proved", sa.Float(), nullable=False),
        sa.Column("unproved", sa.Float(), nullable=False),
        sa.Column("prior", sa.Float(), nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), nullable=False),
        sa.Column("baseline_proved", sa.Float(), nullable=False),
        sa.Column("baseline_total", sa.Float(), nullable=False),
        sa.Column("accepted", sa.Float(), nullable=False),
        sa.Column("receipts", sa.Text(), nullable=False),
        sa.Column("proofs", sa.Text(), nullable=False),
        sa.Column("breaker", sa.String(length=16), nullable=False),
        sa.Column("breaker_recent", sa.String(length=10), nullable=False),
        sa.Column("breaker_run_began_at", MOMENT, nullable=True),
        sa.Column("breaker_seen_at", MOMENT, nullable=True),
        sa.Column("probe_at", MOMENT, nullable=True),
        sa.Column("probes_lost", sa.Integer(), nullable=False),
        sa.Column("probes_passed", sa.Integer(), nullable=False),
        sa.Column("demoted_until", MOMENT, nullable=True),
        sa.Column("demoted_for", sa.String(length=32), nullable=True),
        sa.Column("relapses", sa.Integer(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("(breaker = 'closed') = (probe_at IS NULL)", name="route_health_probe"),
        sa.CheckConstraint("breaker IN ('closed', 'open', 'half_open')", name="route_health_breaker"),
        sa.CheckConstraint("environment IN ('sandbox', 'production')", name="route_health_environment"),
        sa.CheckConstraint(
            "proved >= 0 AND unproved >= 0 AND prior >= 0 AND baseline_proved >= 0 "
            "AND baseline_total >= baseline_proved AND accepted >= 0",
            name="route_health_counts",
        ),
        sa.PrimaryKeyConstraint("environment", "country", "route_group"),
    )
