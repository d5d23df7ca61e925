"""The tables: columns and constraints only. The truth is in the constraints, because table classes do not validate."""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from domain.statuses import AccountStatus, AttemptStatus, Environment, VerificationStatus
from store.times import UtcDateTime

_PENDING = text("status = 'pending'")
_UNLEARNT = text("learnt < 2")
_WAITING = text("status = 'planned' AND waits_until IS NOT NULL")


def _one_of(
    column: str, words: type[AccountStatus | Environment | VerificationStatus | AttemptStatus], *, name: str
) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


class Account(SQLModel, table=True):
    """A business that calls the API. `short_codes_since` remembers that it chose codes under six digits.

    `plan` is the operator's own word. The limits are over all of its keys; null is no limit of its own.
    """

    __table_args__ = (
        _one_of("status", AccountStatus, name="account_status"),
        CheckConstraint("requests_per_s > 0", name="account_requests_per_s"),
        CheckConstraint("sends_per_day >= 0", name="account_sends_per_day"),
    )

    id: UUID = Field(primary_key=True)
    name: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    short_codes_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status: str = Field(
        default=AccountStatus.ACTIVE.value,
        max_length=16,
        sa_column_kwargs={"server_default": AccountStatus.ACTIVE.value},
    )
    status_reason: str | None = Field(default=None, max_length=200)
    plan: str = Field(default="standard", max_length=32, sa_column_kwargs={"server_default": "standard"})
    requests_per_s: int | None = None
    sends_per_day: int | None = None


class ApiKey(SQLModel, table=True):
    """A key: its id in clear, the rest as a keyed hash. `requests_per_s`: null is the default, 0 is no limit.

    `scopes` are words with spaces between them. `allowlist` are networks, the same way; null lets every address in.
    `last_used_at` is rounded down to the hour. `made_by` is the actor who made it, or the key that it came from.
    """

    __tablename__ = "api_key"
    __table_args__ = (_one_of("environment", Environment, name="api_key_environment"),)

    key_id: str = Field(primary_key=True, max_length=8)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    environment: str = Field(max_length=16)
    digest: str = Field(max_length=64)
    requests_per_s: int | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    name: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": text("''")})
    scopes: str = Field(default="", max_length=400, sa_column_kwargs={"server_default": text("''")})
    allowlist: str | None = Field(default=None, max_length=2400)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    made_by: str | None = Field(default=None, max_length=80)


class KeySighting(SQLModel, table=True):
    """An address, as a keyed hash, from which a key was used in an hour (counted since 1970); forgotten after some."""

    __tablename__ = "key_sighting"

    key_id: str = Field(primary_key=True, max_length=8)
    hour: int = Field(primary_key=True)
    address_hash: str = Field(primary_key=True, max_length=32)


class AccessVersion(SQLModel, table=True):
    """One row, whose number moves with every change to who may do what: each process forgets what it knew then."""

    __tablename__ = "access_version"
    __table_args__ = (CheckConstraint("id = 1", name="access_version_one_row"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(sa_type=BigInteger)


class Verification(SQLModel, table=True):
    """One effort to prove that a person holds a number.

    `max_checks` is this verification's own allowance of guesses, fixed at the start from every limit that concerns the
    number; `failures_before` are the number's failures in a row until then; `attempts_made` hands out the counters.
    `code_key_version` is the version of the code key that it was started with, whatever was rotated since.
    """

    __table_args__ = (
        _one_of("status", VerificationStatus, name="verification_status"),
        _one_of("environment", Environment, name="verification_environment"),
        CheckConstraint("checks BETWEEN 0 AND max_checks", name="verification_checks"),
        CheckConstraint("replays BETWEEN 0 AND max_checks", name="verification_replays"),
        CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="verification_finished"),
        Index(
            "verification_pending",
            "account_id",
            "environment",
            "number_hash",
            unique=True,
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("verification_due", "expires_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index("verification_of_number", "account_id", "environment", "number_hash", "created_at"),
        Index("verification_listed", "account_id", "environment", "created_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    environment: str = Field(max_length=16)
    country: str = Field(max_length=2)
    number_sealed: str = Field(max_length=160)
    number_hash: str = Field(max_length=32)
    channel: str = Field(max_length=16)
    purpose: str = Field(max_length=32)
    locale: str = Field(max_length=35)
    brand: str = Field(max_length=32)
    reference: str | None = Field(default=None, max_length=128)
    client_ip_hash: str | None = Field(default=None, max_length=32)
    code_length: int
    status: str = Field(max_length=24)
    reason: str | None = Field(default=None, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    max_checks: int
    checks: int = 0
    replays: int = 0
    failures_before: int = 0
    next_check_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts_made: int = 0
    code_key_version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class Attempt(SQLModel, table=True):
    """One message on one route. `follows` is the attempt it took over from, so that planning twice plans once.

    A sender of a pool leaves under the routing lease of `number_id` with this `fence`. `explanation` is read on demand.
    `is_resent`: when its code has not come back after `verify_wait_s`, another one follows.
    """

    __table_args__ = (
        _one_of("status", AttemptStatus, name="attempt_status"),
        ForeignKeyConstraint(["verification_id"], ["verification.id"], ondelete="CASCADE", name="attempt_verification"),
        UniqueConstraint("verification_id", "sequence", name="attempt_sequence"),
        UniqueConstraint("follows", name="attempt_follows"),
        Index(
            "attempt_planned",
            "planned_at",
            sqlite_where=text("status = 'planned'"),
            postgresql_where=text("status = 'planned'"),
        ),
        Index("attempt_unlearnt", "answered_at", sqlite_where=_UNLEARNT, postgresql_where=_UNLEARNT),
        Index("attempt_waiting", "number_id", "waits_until", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("attempt_line", "carrier", "region", "waits_until", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )

    id: UUID = Field(primary_key=True)
    verification_id: UUID
    sequence: int
    send: int
    follows: UUID | None = None
    channel: str = Field(max_length=16)
    carrier: str = Field(max_length=32)
    region: str = Field(max_length=16)
    pool_country: str = Field(max_length=2)
    sender: str = Field(max_length=16)
    sender_type: str = Field(max_length=16)
    receipt_wait_s: int
    reason: str = Field(max_length=200)
    status: str = Field(max_length=16)
    failure_class: str | None = Field(default=None, max_length=24)
    carrier_code: str | None = Field(default=None, max_length=64)
    carrier_message_id: str | None = Field(default=None, max_length=64)
    planned_at: datetime = Field(sa_type=UtcDateTime)
    submitting_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    receipt_status: str | None = Field(default=None, max_length=16)
    receipt_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    proved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    number_id: UUID | None = None
    fence: int | None = Field(default=None, sa_type=BigInteger)
    price_micros: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = Field(default=None, max_length=3)
    explanation: str | None = Field(default=None, sa_type=Text)
    waits_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    learnt: int | None = Field(default=None, sa_type=SmallInteger)
    verify_wait_s: int | None = None
    is_resent: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class NumberGuard(SQLModel, table=True):
    """What an account may still do with a number: its latest sends, its failures in a row, its lock.

    `recent_sends` are marks of thirteen digits, newest first (`store/times.py`). Guesses before `unlocked_at` count no
    more: the account said so. The key of the person's values is made of `person_salt` and the account's key;
    without the salt they are lost, in every copy.
    """

    __tablename__ = "number_guard"
    __table_args__ = (CheckConstraint("failures >= 0", name="number_guard_failures"),)

    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    environment: str = Field(primary_key=True, max_length=16)
    number_hash: str = Field(primary_key=True, max_length=32)
    recent_sends: str = Field(max_length=130)
    streak: int
    next_send_at: datetime = Field(sa_type=UtcDateTime)
    failures: int = 0
    next_check_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    locked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    unlocked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    person_salt: str | None = Field(default=None, max_length=32)


class IdempotentRequest(SQLModel, table=True):
    """A request that spent money, remembered for a day under the caller's key. `answer` is null while in flight."""

    __tablename__ = "idempotent_request"

    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    environment: str = Field(primary_key=True, max_length=16)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(max_length=64)
    verification_id: UUID
    answer_status: int | None = None
    answer: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)


class Budget(SQLModel, table=True):
    """How much of a budget is used in one hour. Changed only by a conditional statement that holds the limit."""

    scope: str = Field(primary_key=True, max_length=80)
    hour: int = Field(primary_key=True)
    used: int


def table_of(model: type[SQLModel]) -> Table:
    """Return the table behind a model, for statements."""
    return cast("Table", model.__table__)  # type: ignore[attr-defined]
