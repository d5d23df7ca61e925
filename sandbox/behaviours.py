"""What each behaviour means: one row per behaviour, read by everything that acts on it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.sandbox import SandboxBehaviour

# Long enough for the submission's answer to be on record first, short enough that nobody waits for a test.
SOON_S = 0.05
# Longer than any fail-over timer, so that the receipt meets a verification that has moved on.
LATE_S = 60.0
# Longer than any time-out of an adapter: to the product this is silence.
HANG_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A carrier's no: the HTTP status, its own code, a sentence."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """The receipts that follow a message: all alike, and with one event id."""

    status: str = "delivered"
    error: str | None = None
    count: int = 1
    delay_s: float = SOON_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What happens to a message. `is_sent` says whether the handset gets it, `is_answered` whether we do."""

    is_sent: bool = False
    is_answered: bool = True
    refusal: Refusal | None = None
    receipts: Receipts | None = None

    @property
    def verdict(self) -> str:
        """Return the one word the ledger keeps of the answer."""
        if not self.is_answered:
            return "no_answer"
        return "accepted" if self.refusal is None else self.refusal.code


def _refused(status: int, code: str, detail: str) -> Effect:
    return Effect(refusal=Refusal(status=status, code=code, detail=detail))


EFFECTS: Mapping[SandboxBehaviour, Effect] = {
    SandboxBehaviour.ACCEPT: Effect(is_sent=True, receipts=Receipts()),
    SandboxBehaviour.REFUSE: _refused(400, "refused", "This carrier refuses the message."),
    SandboxBehaviour.REFUSE_RECIPIENT: _refused(400, "unknown_subscriber", "No handset has this number."),
    SandboxBehaviour.THROTTLE: _refused(429, "throttled", "Too many messages for now."),
    SandboxBehaviour.UNREACHABLE: _refused(503, "unreachable", "The carrier's gateway is away."),
    SandboxBehaviour.HANG: Effect(is_answered=False),
    SandboxBehaviour.ACCEPT_THEN_HANG: Effect(is_sent=True, is_answered=False, receipts=Receipts()),
    SandboxBehaviour.LOSE: Effect(),
    SandboxBehaviour.UNDELIVERED: Effect(receipts=Receipts(status="undelivered", error="absent_subscriber")),
    SandboxBehaviour.NO_RECEIPT: Effect(is_sent=True),
    SandboxBehaviour.DUPLICATE_RECEIPTS: Effect(is_sent=True, receipts=Receipts(count=5)),
    SandboxBehaviour.LATE_RECEIPT: Effect(is_sent=True, receipts=Receipts(delay_s=LATE_S)),
}
