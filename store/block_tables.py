"""The table of blocks: what is not allowed for a while, and since when it is again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from store.times import UtcDateTime

_OPEN = text("lifted_at IS NULL")


class BlockRow(SQLModel, table=True):
    """One block. `subject` is the keyed hash of a number, empty where it is the account that is blocked.

    No number stands here: the masked one is read from the events of the verification that brought the block about.
    """

    __tablename__ = "block"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'production')", name="block_environment"),
        CheckConstraint("rule IN ('failures_in_a_row', 'account_status')", name="block_rule"),
        Index(
            "block_open",
            "account_id",
            "environment",
            "rule",
            "subject",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("block_over", "until", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("block_lifted", "lifted_at"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID
    environment: str = Field(max_length=16)
    rule: str = Field(max_length=24)
    subject: str = Field(max_length=32)
    reason: str = Field(max_length=200)
    country: str | None = Field(default=None, max_length=2)
    verification_id: UUID | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lifted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
