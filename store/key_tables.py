"""The tables of the keys: columns and constraints only. No key stands here but wrapped by one that does not."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from store.times import UtcDateTime

_OF_INSTANCE, _OF_ACCOUNT = text("account_id IS NULL"), text("account_id IS NOT NULL")


class WrappedKey(SQLModel, table=True):
    """One version of a key of the instance, or of an account's; `wrapped_by` names the key-encryption key."""

    __tablename__ = "wrapped_key"
    __table_args__ = (
        CheckConstraint("(use = 'data') = (account_id IS NOT NULL)", name="wrapped_key_owner"),
        CheckConstraint("version >= 1", name="wrapped_key_version"),
        Index(
            "wrapped_key_of_instance",
            "use",
            "version",
            unique=True,
            sqlite_where=_OF_INSTANCE,
            postgresql_where=_OF_INSTANCE,
        ),
        Index(
            "wrapped_key_of_account",
            "account_id",
            "version",
            unique=True,
            sqlite_where=_OF_ACCOUNT,
            postgresql_where=_OF_ACCOUNT,
        ),
        Index("wrapped_key_added", "created_at"),
    )

    kid: str = Field(primary_key=True, max_length=16)
    use: str = Field(max_length=16)
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    version: int
    wrapped: str
    wrapped_by: str = Field(max_length=200)
    created_at: datetime = Field(sa_type=UtcDateTime)


class KeyRotation(SQLModel, table=True):
    """One rotation; while `finished_at` is null, the next `keys rotate` goes on with it and begins no other."""

    __tablename__ = "key_rotation"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    started_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
