"""Facts as they are read from the database: frozen, plain, free of SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.access import Role, Scope
from domain.statuses import (
    AttemptStatus,
    Channel,
    Environment,
    FailureClass,
    Purpose,
    ReceiptStatus,
    VerificationStatus,
)

# What a person acts on who has not said on which account: no account has this id.
NO_ACCOUNT = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling: an account, through one of its keys, in one environment.

    `requests_per_s` is the key's own request rate; None is the instance's default, 0 is none. The account's own limits
    come on top of it: `account_requests_per_s` over all of its keys, `sends_per_day`; None is no such limit.

    `actor` is who it is in the audit trail. A person has a `role` and no scopes; `stepped_up_at` is when their second
    factor was last seen, in the session `session_id`. `address` is where the request came from, as we see it.
    """

    account_id: UUID
    account_name: str
    environment: Environment
    key_id: str
    requests_per_s: int | None = None
    actor: str = "system"
    scopes: frozenset[Scope] = frozenset()
    role: Role | None = None
    address: str | None = field(default=None, repr=False)
    stepped_up_at: datetime | None = None
    account_requests_per_s: int | None = None
    sends_per_day: int | None = None
    operator_id: UUID | None = None
    session_id: UUID | None = None

    @property
    def acts_on(self) -> UUID | None:
        """Return the account, or None for a person who has not said which."""
        return None if self.account_id == NO_ACCOUNT else self.account_id

    @property
    def administers_accounts(self) -> bool:
        """Say whether every account of the instance is this caller's business, and not only its own."""
        return self.role is not None or Scope.ACCOUNTS in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """One attempt, as stored.

    `verify_wait_s` is how long its code is awaited before a resend is advised; `is_resent`: and is made, by itself.
    """

    id: UUID
    sequence: int
    send: int
    channel: Channel
    carrier: str
    region: str
    pool_country: str
    sender: str
    sender_type: str
    receipt_wait_s: int
    reason: str
    status: AttemptStatus
    failure_class: FailureClass | None
    carrier_code: str | None
    planned_at: datetime
    submitting_at: datetime | None
    answered_at: datetime | None
    receipt_status: ReceiptStatus | None
    receipt_at: datetime | None
    proved_at: datetime | None
    price_micros: int | None = None
    currency: str | None = None
    number_id: UUID | None = None
    waits_until: datetime | None = None
    verify_wait_s: int | None = None
    is_resent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a message part costs, or what a verification's messages do together; None where it cannot be told.

    That is so where a route has no price, and for a sum also where the messages were priced in several currencies.
    """

    micros: int | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationFacts:
    """One verification, as stored, with the database's time of reading it (`read_at`).

    `person_salt` stands in the number's guard row; without it the number cannot be read again.
    """

    id: UUID
    account_id: UUID
    environment: Environment
    country: str
    number_sealed: str = field(repr=False)
    number_hash: str
    channel: Channel
    purpose: Purpose
    locale: str
    brand: str
    reference: str | None
    code_length: int
    status: VerificationStatus
    reason: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    max_checks: int
    checks: int
    failures_before: int
    next_check_at: datetime | None
    attempts_made: int
    read_at: datetime
    code_key_version: int = 1
    person_salt: str | None = field(default=None, repr=False)

    @property
    def is_overdue(self) -> bool:
        """Say whether its time is over although nobody has concluded it yet."""
        return self.status is VerificationStatus.PENDING and self.expires_at <= self.read_at

    @property
    def status_now(self) -> VerificationStatus:
        """Return the status as callers are told it: one whose time is over is expired."""
        return VerificationStatus.EXPIRED if self.is_overdue else self.status

    @property
    def ended_at(self) -> datetime | None:
        """Return when it ended, as callers are told it: one that expired did so at its deadline, whenever noted."""
        return self.expires_at if self.status_now is VerificationStatus.EXPIRED else self.finished_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFacts:
    """Which messages a number got from an account; `recent_sends` newest first."""

    recent_sends: tuple[datetime, ...]
    next_send_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFacts:
    """What a number may still get from an account, at the database's time of reading.

    `last_sender` is who wrote to it last, where that should be so again; read when a send is taken.
    """

    sends: SendFacts
    failures: int
    next_check_at: datetime | None
    locked_until: datetime | None
    unlocked_at: datetime | None
    read_at: datetime
    person_salt: str | None = field(default=None, repr=False)
    last_sender: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """What a number's verifications of the last day had: guesses since the account unlocked it, and all of them.

    `oldest_at` is when the oldest of those since then began; None when there is none.
    """

    checks: int
    checks_in_all: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    """A verification as its account may see it: masked, with its attempts and with advice."""

    facts: VerificationFacts
    to: str
    attempts: tuple[AttemptFacts, ...]
    sends_left: int
    next_send_at: datetime | None
    resend_advised_at: datetime | None = None

    @property
    def checks_left(self) -> int:
        """Return how many guesses may still be compared; none once it is finished."""
        pending = self.facts.status_now is VerificationStatus.PENDING
        return self.facts.max_checks - self.facts.checks if pending else 0
