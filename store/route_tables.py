"""Tables of routes: what accounts want for a destination, and how well each group of routes does there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Text, false, text
from sqlmodel import Field, SQLModel

from domain.routing import Mode
from domain.statuses import Environment
from rules.routing.breaker import BreakerState
from store.number_tables import one_of
from store.times import UtcDateTime


class RoutePolicy(SQLModel, table=True):
    """How an account's messages reach a country; country `**` is everywhere else. `backups` are countries, spaced.

    A null wait is the learnt one. `is_resent`: what is not proved in that time is followed by itself.
    `is_rotated`: numbers of the account's own that are set aside are replaced by themselves.
    """

    __tablename__ = "route_policy"
    __table_args__ = (
        one_of("mode", Mode, name="route_policy_mode"),
        one_of("environment", Environment, name="route_policy_environment"),
        CheckConstraint("max_attempts BETWEEN 1 AND 3 AND max_carriers BETWEEN 1 AND 3", name="route_policy_caps"),
        CheckConstraint("receipt_wait_s IS NULL OR receipt_wait_s BETWEEN 8 AND 30", name="route_policy_receipt_wait"),
        CheckConstraint("verify_wait_s IS NULL OR verify_wait_s BETWEEN 20 AND 60", name="route_policy_verify_wait"),
        CheckConstraint("cost_cap_micros IS NULL OR cost_cap_micros >= 0", name="route_policy_cost_cap"),
        CheckConstraint("NOT is_allowed OR primary_pool IS NOT NULL", name="route_policy_primary"),
        CheckConstraint(
            "primary_pool IS NULL OR ' ' || backups || ' ' NOT LIKE '% ' || primary_pool || ' %'",
            name="route_policy_backups",
        ),
    )

    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    environment: str = Field(primary_key=True, max_length=16)
    country: str = Field(primary_key=True, max_length=2)
    is_allowed: bool
    primary_pool: str | None = Field(default=None, max_length=2)
    backups: str = Field(default="", max_length=60)
    mode: str = Field(max_length=16)
    max_attempts: int
    max_carriers: int
    cost_cap_micros: int | None = Field(default=None, sa_type=BigInteger)
    receipt_wait_s: int | None = None
    verify_wait_s: int | None = None
    is_resent: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    is_rotated: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    changed_at: datetime = Field(sa_type=UtcDateTime)


class RouteHealth(SQLModel, table=True):
    """What is known of a group of routes towards a country. Written by who read `version`, and by nobody else.

    Counts are discounted as of the country's outcome `learnt_at`; sketches are `rules/routing/sketch.py`'s text.
    """

    __tablename__ = "route_health"
    __table_args__ = (
        one_of("breaker", BreakerState, name="route_health_breaker"),
        one_of("environment", Environment, name="route_health_environment"),
        CheckConstraint("(breaker = 'closed') = (probe_at IS NULL)", name="route_health_probe"),
        CheckConstraint(
            "proved >= 0 AND unproved >= 0 AND prior >= 0 AND baseline_proved >= 0 "
            "AND baseline_total >= baseline_proved AND accepted >= 0",
            name="route_health_counts",
        ),
    )

    environment: str = Field(primary_key=True, max_length=16)
    country: str = Field(primary_key=True, max_length=2)
    route_group: str = Field(primary_key=True, max_length=80)
    version: int = Field(default=0, sa_type=BigInteger)
    proved: float = 0.0
    unproved: float = 0.0
    prior: float
    learnt_at: int = Field(default=0, sa_type=BigInteger)
    baseline_proved: float = 0.0
    baseline_total: float = 0.0
    recent: str = Field(default="", max_length=60, sa_column_kwargs={"server_default": text("''")})
    accepted: float = 0.0
    receipts: str = Field(default="{}", sa_type=Text)
    proofs: str = Field(default="{}", sa_type=Text)
    receipt_wait_s: int | None = None
    verify_wait_s: int | None = None
    breaker: str = Field(max_length=16)
    breaker_recent: str = Field(default="", max_length=10)
    breaker_run_began_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    breaker_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probe_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probes_lost: int = 0
    probes_passed: int = 0
    demoted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    demoted_for: str | None = Field(default=None, max_length=32)
    relapses: int = 0
    breaker_told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class NumberHealth(SQLModel, table=True):
    """What is known of a number: discounted counts. Written by who read `version`, and by nobody else.

    Of `judged` messages so many were `proved`, of `accepted` ones so many `received`, of `answered` ones so many
    refused as `blocked`, as `spam`, or as too fast.
    """

    __tablename__ = "number_health"
    __table_args__ = (
        ForeignKeyConstraint(["number_id"], ["sender_number.id"], ondelete="CASCADE", name="number_health_number"),
    )

    number_id: UUID = Field(primary_key=True)
    version: int = Field(default=0, sa_type=BigInteger)
    proved: float = 0.0
    judged: float = 0.0
    received: float = 0.0
    accepted: float = 0.0
    blocked: float = 0.0
    spam: float = 0.0
    throttled: float = Field(default=0.0, sa_column_kwargs={"server_default": text("0")})
    answered: float = 0.0


class RouteDecision(SQLModel, table=True):
    """That a route or a number was set aside or taken back, and the figures that it rests on, as JSON.

    `account_id` is who had the number alone then: it is nobody else's business.
    """

    __tablename__ = "route_decision"
    __table_args__ = (
        one_of("environment", Environment, name="route_decision_environment"),
        Index("route_decision_listed", "environment", "country", "decided_at"),
    )

    id: UUID = Field(primary_key=True)
    environment: str = Field(max_length=16)
    country: str = Field(max_length=2)
    kind: str = Field(max_length=32)
    subject: str = Field(max_length=96)
    evidence: str = Field(sa_type=Text)
    account_id: UUID | None = Field(default=None)
    decided_at: datetime = Field(sa_type=UtcDateTime)
