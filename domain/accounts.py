"""Accounts and their keys as they are read from the database, and what may be changed of an account."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from domain.access import Scope
from domain.statuses import AccountStatus, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """An account, as stored. Its limits are over all of its keys; None is no limit of its own."""

    id: UUID
    name: str
    status: AccountStatus
    status_reason: str | None
    plan: str
    requests_per_s: int | None
    sends_per_day: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyFacts:
    """A key, as stored, without its text or what it is compared with."""

    key_id: str
    account_id: UUID
    environment: Environment
    name: str
    scopes: frozenset[Scope]
    allowlist: tuple[str, ...]
    requests_per_s: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class AccountChanges(TypedDict, total=False):
    """What of an account is to be another; what is left out stays."""

    name: str
    status: AccountStatus
    status_reason: str | None
    plan: str
    requests_per_s: int | None
    sends_per_day: int | None
