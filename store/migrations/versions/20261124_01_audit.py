"""The audit trail: entries, heads of chains, signed checkpoints, and triggers that keep them.

Revision ID: 20261124_01_audit
Revises: 20261122_first
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_01_audit"
down_revision = "20261122_first"
branch_labels = None
depends_on = None

# timestamptz on PostgreSQL, text of fixed width on SQLite.
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
TABLES = ("audit_entry", "audit_head", "audit_checkpoint")
# The one way out: what lies before a cut, which is signed before anything goes.
AFTER_THE_CUT = (
    "NOT EXISTS (SELECT 1 FROM audit_checkpoint AS cut "
    "WHERE cut.chain = OLD.chain AND cut.kind = 'cut' AND cut.sequence >= OLD.sequence)"
)
BEFORE_NO_CUT = AFTER_THE_CUT.replace("cut.sequence >=", "cut.sequence >")
# Table, event, condition under which it is refused, what is said.
GUARDS = (
    ("audit_entry", "UPDATE", "", "audit entries are never changed"),
    ("audit_entry", "DELETE", AFTER_THE_CUT, "audit entries are kept until a signed cut lies behind them"),
    ("audit_checkpoint", "UPDATE", "", "audit checkpoints are never changed"),
    ("audit_checkpoint", "DELETE", BEFORE_NO_CUT, "audit checkpoints are kept until a signed cut lies behind them"),
    ("audit_head", "DELETE", "", "the head of an audit chain is kept"),
)


def upgrade() -> None:
    _entries()
    _heads_and_checkpoints()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def downgrade() -> None:
    # Triggers go with their tables.
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        for function in ("audit_refuse", "audit_entry_delete_guard", "audit_checkpoint_delete_guard"):
            op.execute(f"DROP FUNCTION {function}()")


def _entries() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=96), nullable=True),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("sequence >= 1", name="audit_entry_sequence"),
        sa.PrimaryKeyConstraint("chain", "sequence"),
    )
    op.create_index("audit_entry_at", "audit_entry", ["chain", "at"], unique=False)
    for column in ("action", "actor", "subject"):
        op.create_index(f"audit_entry_{column}", "audit_entry", ["chain", column, "sequence"], unique=False)


def _heads_and_checkpoints() -> None:
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.CheckConstraint("kind IN ('hour', 'cut')", name="audit_checkpoint_kind"),
        sa.PrimaryKeyConstraint("chain", "sequence", "kind"),
    )


def _guard_sqlite() -> None:
    for table, event, condition, said in GUARDS:
        when = f"WHEN {condition}" if condition else ""
        op.execute(
            f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table} {when} "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
    # INSERT OR REPLACE deletes without asking the trigger above.
    op.execute(
        "CREATE TRIGGER audit_entry_replace BEFORE INSERT ON audit_entry WHEN EXISTS "
        "(SELECT 1 FROM audit_entry AS old WHERE old.chain = NEW.chain AND old.sequence = NEW.sequence) "
        "BEGIN SELECT RAISE(ABORT, 'audit entries are never replaced'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table, event, condition, said in GUARDS:
        # PostgreSQL takes no subquery in WHEN, so a function of its own decides.
        if condition:
            _guard_by_function(table, event, condition, said)
        else:
            op.execute(
                f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION audit_refuse('{said}')"
            )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse('the audit trail is never emptied')"
        )


def _guard_by_function(table: str, event: str, condition: str, said: str) -> None:
    name = f"{table}_{event.lower()}_guard"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{said}' USING ERRCODE = 'restrict_violation'; END IF; "
        "RETURN OLD; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
