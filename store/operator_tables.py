"""The tables of operators and of what they approve: columns and constraints only."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from domain.access import Role
from domain.operators import ApprovalStatus, OperatorStatus
from domain.statuses import Environment
from store.times import UtcDateTime

_PENDING = text("status = 'pending'")
_STORED = tuple(each for each in ApprovalStatus if each is not ApprovalStatus.EXPIRED)


def _one_of(column: str, words: type[StrEnum] | tuple[StrEnum, ...], *, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


class Operator(SQLModel, table=True):
    """A person of the instance. `totp_step` is the step of the last code that was taken: no code works twice.

    `allowlist` are networks with spaces between them; null lets every address in.
    """

    __table_args__ = (
        _one_of("role", Role, name="operator_role"),
        _one_of("status", OperatorStatus, name="operator_status"),
        CheckConstraint(
            "status <> 'active' OR (password_hash IS NOT NULL AND totp_sealed IS NOT NULL)", name="operator_factors"
        ),
        Index("operator_email", "email_hash", unique=True),
    )

    id: UUID = Field(primary_key=True)
    email_sealed: str = Field(max_length=512)
    email_hash: str = Field(max_length=32)
    name: str = Field(max_length=64)
    role: str = Field(max_length=16)
    status: str = Field(max_length=16)
    password_hash: str | None = Field(default=None, max_length=200)
    totp_sealed: str | None = Field(default=None, max_length=200)
    totp_step: int | None = Field(default=None, sa_type=BigInteger)
    allowlist: str | None = Field(default=None, max_length=2400)
    created_at: datetime = Field(sa_type=UtcDateTime)
    enrolled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OperatorInvitation(SQLModel, table=True):
    """The one invitation an operator has, as a keyed hash; gone once it was used."""

    __tablename__ = "operator_invitation"

    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    token_hash: str = Field(max_length=64, unique=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class OperatorSession(SQLModel, table=True):
    """A signed-in operator: the token as a keyed hash. `last_seen_at` is right to a minute."""

    __tablename__ = "operator_session"

    id: UUID = Field(primary_key=True)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    token_hash: str = Field(max_length=64, unique=True)
    address_hash: str | None = Field(default=None, max_length=32)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    stepped_up_at: datetime = Field(sa_type=UtcDateTime)


class RecoveryCode(SQLModel, table=True):
    """A code that stands in for the second factor, once; gone once it was used."""

    __tablename__ = "recovery_code"

    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    code_hash: str = Field(primary_key=True, max_length=64)


class Tries(SQLModel, table=True):
    """The newest tries at something that can be guessed, each 13 digits of time and 8 of its own, newest first."""

    subject: str = Field(primary_key=True, max_length=64)
    recent: str = Field(max_length=105)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class Approval(SQLModel, table=True):
    """A machine's request for a sensitive operation, and what an operator said to it; good for one use.

    `key_id` is the credential that asked. One is pending per caller and request. `body_sealed` is what the operator
    reads before deciding.
    """

    __table_args__ = (
        _one_of("status", _STORED, name="approval_status"),
        _one_of("environment", Environment, name="approval_environment"),
        Index(
            "approval_pending",
            "actor",
            "operation",
            "path",
            "body_hash",
            unique=True,
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("approval_listed", "account_id", "environment", "id"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    environment: str = Field(max_length=16)
    actor: str = Field(max_length=80)
    key_id: str = Field(max_length=64)
    operation: str = Field(max_length=64)
    path: str = Field(max_length=512)
    body_hash: str = Field(max_length=64)
    body_sealed: str | None = None
    status: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str | None = Field(default=None, max_length=80)
