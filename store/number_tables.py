"""Tables of senders: the numbers, who has them lent, where they may be used, how many parts they may send."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.routing import NumberState, Use
from domain.statuses import Environment
from store.times import UtcDateTime


def one_of(column: str, words: type[StrEnum], *, name: str) -> CheckConstraint:
    """Return the constraint that a column holds one of some words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


_IS_OPEN = text("ended_at IS NULL")
_IS_DUE = text("due_at IS NOT NULL")


class SenderNumber(SQLModel, table=True):
    """A sender of ours, or an alphanumeric name. `capabilities` are words with spaces around each: ` sms voice `.

    `account_id` is who it is reserved for or lent to alone; null: it belongs to its pool. `state_until` ends a
    reservation, a quarantine or a rest. `relapses` counts quarantines in a row. `due_at` is when its workflow has
    something to do: whoever changes a number sets it to now, so that upkeep finds what no workflow was told of.
    `silent_since` is since when its carrier does not answer.
    `probing_since`: since when it is on trial, after a quarantine for its health; `state_reason` says for what.
    """

    __tablename__ = "sender_number"
    __table_args__ = (
        one_of("state", NumberState, name="sender_number_state"),
        one_of("environment", Environment, name="sender_number_environment"),
        CheckConstraint("state NOT IN ('reserved', 'leased') OR account_id IS NOT NULL", name="sender_number_holder"),
        CheckConstraint(
            "state NOT IN ('reserved', 'quarantined', 'aging') OR state_until IS NOT NULL", name="sender_number_until"
        ),
        CheckConstraint("price_micros >= 0 AND monthly_micros >= 0", name="sender_number_prices"),
        UniqueConstraint("environment", "country", "carrier", "sender", name="sender_number_once"),
        Index("sender_number_pool", "environment", "country", "state"),
        Index("sender_number_account", "account_id"),
        Index("sender_number_due", "due_at", sqlite_where=_IS_DUE, postgresql_where=_IS_DUE),
    )

    id: UUID = Field(primary_key=True)
    environment: str = Field(max_length=16)
    country: str = Field(max_length=2)
    sender: str = Field(max_length=16)
    sender_type: str = Field(max_length=16)
    carrier: str = Field(max_length=32)
    region: str = Field(max_length=16)
    capabilities: str = Field(max_length=64)
    price_micros: int = Field(sa_type=BigInteger)
    monthly_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    state: str = Field(max_length=16)
    state_reason: str | None = Field(default=None, max_length=64)
    state_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    relapses: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    silent_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RoutingLease(SQLModel, table=True):
    """Which worker may send with a number until when. `fence` grows with each taking: a lost lease sends nothing."""

    __tablename__ = "routing_lease"
    __table_args__ = (
        ForeignKeyConstraint(["number_id"], ["sender_number.id"], ondelete="CASCADE", name="routing_lease_number"),
        CheckConstraint("fence >= 0", name="routing_lease_fence"),
        Index("routing_lease_free", "expires_at"),
    )

    number_id: UUID = Field(primary_key=True)
    holder: str | None = Field(default=None, max_length=64)
    fence: int = Field(default=0, sa_type=BigInteger)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class NumberLease(SQLModel, table=True):
    """A number leased to an account: for what use, how long and how much, renewed or not. Ended ones stay.

    Every lease has an end; `expires_at` moves when it is renewed and paid for.
    """

    __tablename__ = "number_lease"
    __table_args__ = (
        ForeignKeyConstraint(["number_id"], ["sender_number.id"], name="number_lease_number"),
        CheckConstraint("expires_at > started_at", name="number_lease_period"),
        CheckConstraint("period_days >= 1 AND price_micros >= 0", name="number_lease_terms"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="number_lease_ended"),
        Index("number_lease_open", "number_id", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        Index("number_lease_due", "expires_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        Index("number_lease_of_account", "account_id", "environment", "ended_at"),
    )

    id: UUID = Field(primary_key=True)
    number_id: UUID
    account_id: UUID = Field(foreign_key="account.id")
    environment: str = Field(max_length=16)
    period_days: int
    price_micros: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    is_renewed: bool
    started_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_reason: str | None = Field(default=None, max_length=32)
    use: str = Field(
        default=Use.DEDICATED.value, max_length=16, sa_column_kwargs={"server_default": Use.DEDICATED.value}
    )
    warned_days: int | None = None


class SenderAuthorisation(SQLModel, table=True):
    """That a sender may be used towards a country through a carrier, from when until when, and on what ground."""

    __tablename__ = "sender_authorisation"
    __table_args__ = (
        CheckConstraint("valid_until IS NULL OR valid_until > valid_since", name="sender_authorisation_period"),
        one_of("environment", Environment, name="sender_authorisation_environment"),
    )

    environment: str = Field(primary_key=True, max_length=16)
    country: str = Field(primary_key=True, max_length=2)
    sender: str = Field(primary_key=True, max_length=16)
    carrier: str = Field(primary_key=True, max_length=32)
    valid_since: datetime = Field(sa_type=UtcDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ground: str = Field(max_length=200)


class CapacityBucket(SQLModel, table=True):
    """A token bucket in message parts (`rules/routing/capacity.py`); its state is `free_at_us`."""

    __tablename__ = "capacity_bucket"
    __table_args__ = (CheckConstraint("part_us >= 1 AND slack_us >= 0", name="capacity_bucket_rate"),)

    name: str = Field(primary_key=True, max_length=80)
    part_us: int = Field(sa_type=BigInteger)
    slack_us: int = Field(default=0, sa_type=BigInteger)
    free_at_us: int = Field(default=0, sa_type=BigInteger)
