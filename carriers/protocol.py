"""What a carrier is to the product: one request that hands over a message, and a classified answer.

An adapter makes one request with an explicit time-out and never retries: a carrier is asked at most once per attempt.
"""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text for one handset, sent for an account. Number and text are kept out of `repr`, and so out of logs."""

    attempt_id: UUID
    account_id: UUID
    to: str = field(repr=False)
    sender: str
    text: str = field(repr=False)
    validity_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the carrier said to a submission. `carrier_code` is its own word, kept for operators."""

    status: SubmissionStatus
    failure_class: FailureClass | None = None
    carrier_code: str | None = None
    carrier_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptNotice:
    """A receipt as parsed from a carrier's request, after its signature was found to be right."""

    attempt_id: UUID
    status: ReceiptStatus
    failure_class: FailureClass | None = None
    carrier_code: str | None = None


class Carrier(Protocol):
    """A company or gateway that accepts our messages."""

    @property
    def name(self) -> str:
        """Return the carrier's name, unique in this instance."""
        ...

    async def submit(self, message: Message) -> Answer:
        """Hand over one message, once.

        A carrier that cannot be reached yields `REJECTED` with `ROUTE_TEMPORARY` (nothing left us); one that stays
        silent after the request left yields `UNKNOWN`. Nothing is raised for what a carrier may do.
        """
        ...


class ReceiptReader(Protocol):
    """The half of an adapter that reads what the carrier posts to us."""

    def read(self, *, body: bytes, headers: dict[str, str]) -> ReceiptNotice | None:
        """Return the receipt, or None when it is not authentic: bad signature, stale, unreadable."""
        ...
