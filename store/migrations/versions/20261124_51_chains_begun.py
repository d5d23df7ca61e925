"""Accounts from before the audit trail get a chain. No table changes: `store/migrate.py` begins them behind this.

Revision ID: 20261124_51_chains_begun
Revises: 20261124_50_route_decisions
"""

revision = "20261124_51_chains_begun"
down_revision = "20261124_50_route_decisions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing; that the database came here is what has the chains begun."""


def downgrade() -> None:
    """Change nothing; what is recorded stays."""
