"""The table of events: what happened, in an order that readers can trust.

No row refers to another table: an event outlives what it tells of, and a foreign key would have every start lock its
account's row once more.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.times import UtcDateTime

# SQLite hands out numbers only to a column that is called INTEGER.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class EventRow(SQLModel, table=True):
    """One event. `transaction` and `number` are its place in the order of reading (`store/event_order.py`).

    `to_masked` stands apart from `data`, so that it can be erased; `data` is JSON and holds nothing personal.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("id", name="event_id"),
        UniqueConstraint("verification_id", "sequence", name="event_sequence"),
        Index("event_order", "account_id", "environment", "transaction", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int = Field(primary_key=True, sa_type=NUMBER)
    transaction: int = Field(sa_type=BigInteger)
    id: UUID
    account_id: UUID
    environment: str = Field(max_length=16)
    type: str = Field(max_length=48)
    version: int
    verification_id: UUID | None = None
    sequence: int | None = None
    to_masked: str | None = Field(default=None, max_length=20)
    data: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
