"""The words of the sandbox carriers: what one can be told to do, what it sent, what it was asked."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SandboxBehaviour(StrEnum):
    """What a sandbox carrier does with a message it is handed."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    REFUSE_RECIPIENT = "refuse_recipient"
    THROTTLE = "throttle"
    UNREACHABLE = "unreachable"
    HANG = "hang"
    ACCEPT_THEN_HANG = "accept_then_hang"
    LOSE = "lose"
    UNDELIVERED = "undelivered"
    NO_RECEIPT = "no_receipt"
    DUPLICATE_RECEIPTS = "duplicate_receipts"
    LATE_RECEIPT = "late_receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMessage:
    """A message as the handset would show it. It holds a code, so number and text are kept out of `repr`."""

    to: str = field(repr=False)
    text: str = field(repr=False)
    sender: str
    carrier: str
    attempt_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourView:
    """What a carrier was told to do. `times` is how often it still will; None means until it is told otherwise."""

    carrier: str
    behaviour: SandboxBehaviour
    latency_ms: int = 0
    times: int | None = None
    to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One submission a carrier received. `verdict` is `accepted`, `no_answer` or the code of the refusal."""

    number: int
    carrier: str
    attempt_id: str
    to: str = field(repr=False)
    received_at: datetime
    behaviour: SandboxBehaviour
    verdict: str
