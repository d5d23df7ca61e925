"""Operators, their sessions and the approvals they give, as they are read from the database."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from domain.access import Role
from domain.statuses import Environment

# ASCII, because an address that can be written in two ways could be invited twice; 254 is the longest there is.
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?\.[A-Za-z]{2,}"
)
_LONGEST_EMAIL = 254


class OperatorStatus(StrEnum):
    """How an operator stands: only `active` ones can sign in."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


class ApprovalStatus(StrEnum):
    """How an approval stands. `expired` is never stored: it is what the first two become when their time is over."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFacts:
    """A person of the instance, as stored; `read_at` is the database's time of reading."""

    id: UUID
    email_sealed: str = field(repr=False)
    name: str
    role: Role
    status: OperatorStatus
    allowlist: tuple[str, ...]
    created_at: datetime
    enrolled_at: datetime | None
    read_at: datetime
    password_hash: str | None = field(default=None, repr=False)
    totp_sealed: str | None = field(default=None, repr=False)
    totp_step: int | None = None


class OperatorChanges(TypedDict, total=False):
    """What of an operator is to be another; what is left out stays."""

    name: str
    role: Role
    status: OperatorStatus
    allowlist: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One operator's session: when it ends at the latest, and when its second factor was last seen."""

    id: UUID
    operator_id: UUID
    created_at: datetime
    expires_at: datetime
    stepped_up_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitiveRequest:
    """A request for a sensitive operation: an approval is for this one and no other."""

    operation: str
    path: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFacts:
    """What a machine asks two people's consent for, as stored."""

    id: UUID
    actor: str
    account_id: UUID
    environment: Environment
    operation: str
    path: str
    body_hash: str
    body_sealed: str | None = field(repr=False)
    status: ApprovalStatus
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None


def normal_email(text: str) -> str | None:
    """Return an e-mail address in the one form in which it is looked up, or None for what is none."""
    text = text.strip(" ")
    return text.lower() if len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text) else None
