"""The audit trail's tables. Triggers of the migration refuse to change or delete what is in them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from store.times import UtcDateTime


class AuditRow(SQLModel, table=True):
    """One entry in its place in a chain: an account's (its id in hex) or `instance`. `details` is canonical JSON."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        CheckConstraint("sequence >= 1", name="audit_entry_sequence"),
        Index("audit_entry_at", "chain", "at"),
        Index("audit_entry_action", "chain", "action", "sequence"),
        Index("audit_entry_actor", "chain", "actor", "sequence"),
        Index("audit_entry_subject", "chain", "subject", "sequence"),
    )

    chain: str = Field(primary_key=True, max_length=32)
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    environment: str | None = Field(default=None, max_length=16)
    actor: str = Field(max_length=80)
    action: str = Field(max_length=64)
    subject: str | None = Field(default=None, max_length=96)
    details: str
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class AuditHead(SQLModel, table=True):
    """The newest entry of a chain; who holds this row is the only one to add to it."""

    __tablename__ = "audit_head"

    chain: str = Field(primary_key=True, max_length=32)
    sequence: int
    hash: str = Field(max_length=64)


class AuditCheckpoint(SQLModel, table=True):
    """A signed statement that a chain had this hash at this sequence; a `cut` also says that what is before may go."""

    __tablename__ = "audit_checkpoint"
    __table_args__ = (CheckConstraint("kind IN ('hour', 'cut')", name="audit_checkpoint_kind"),)

    chain: str = Field(primary_key=True, max_length=32)
    sequence: int = Field(primary_key=True)
    kind: str = Field(primary_key=True, max_length=8)
    hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    kid: str = Field(max_length=16)
    signature: str = Field(max_length=88)
