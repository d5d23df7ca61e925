"""What crosses a Temporal boundary: ids, counts and words, never a number, a code or a text.

A message is a frozen dataclass; a new field has a default, so that histories written before it still replay.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.statuses import Channel, Environment, FailureClass, SubmissionStatus, VerificationStatus

# Where workflows and the activities that only need the database run.
VERIFICATION_QUEUE = "verifications"
# Where webhooks are posted: a receiver that is slow keeps nobody else's slot.
WEBHOOK_QUEUE = "webhooks"


def carrier_queue(region: str) -> str:
    """Return the task queue of the workers that stand near a region's carriers."""
    return f"carriers-{region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAttempt:
    """One attempt that has a row already: what the workflow must know to have it sent and to watch it.

    `sender` is as shown to people: an alphanumeric name as it is, a number masked. `receipt_wait_s` is how long this
    route's receipt is awaited before the next route is tried; 0 where the route gives no receipts. `code_wait_s` is how
    long its code is awaited before the next route is tried; 0 where the account has not asked for that.
    """

    attempt_id: UUID
    sequence: int
    carrier: str
    region: str
    pool_country: str
    sender: str
    channel: Channel = Channel.SMS
    receipt_wait_s: int = 0
    code_wait_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartVerification:
    """Input of `VerificationWorkflow`."""

    verification_id: UUID
    country: str
    lifetime_s: int
    first: PlannedAttempt
    environment: Environment = Environment.SANDBOX


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """How a verification ended, as the database has it. `reason` says more where there is more to say."""

    status: VerificationStatus
    reason: str | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """Input of the sending activity."""

    verification_id: UUID
    attempt_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of handing a message over. `status` is None when nothing was asked of the carrier.

    `wait_s` over 0: the sender has no message part left now; come again by then.
    """

    attempt_id: UUID
    status: SubmissionStatus | None
    failure_class: FailureClass | None = None
    wait_s: float = 0.0


class FailOverCause(StrEnum):
    """Why the workflow asks for another route."""

    SUBMISSION = "submission"
    REGION_SILENT = "region_silent"
    BAD_RECEIPT = "bad_receipt"
    NO_RECEIPT = "no_receipt"
    NO_CODE = "no_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOverRequest:
    """Input of the planning activity: which attempt did not do, and what the workflow saw of it."""

    verification_id: UUID
    attempt_id: UUID
    cause: FailOverCause


class NextStepKind(StrEnum):
    """What to do after an attempt did not do."""

    SEND = "send"
    WAIT = "wait"
    FAIL = "fail"
    FINISH = "finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """Answer of the planning activity. `attempt` is there when the kind is `send`, `reason` always.

    `again_s` over 0, of the kind `wait`: the number may have no further message yet; ask again by then.
    """

    kind: NextStepKind
    reason: str
    attempt: PlannedAttempt | None = None
    again_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BadReceipt:
    """Signal: a carrier says that an attempt's message did not arrive."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationEnded:
    """Signal: the database holds an end state; the workflow has nothing more to do."""

    status: VerificationStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Input of the concluding activity: the end state that the workflow believes is due."""

    verification_id: UUID
    status: VerificationStatus
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """Answer of the concluding activity: what the database holds now. `remaining_s` > 0: not due yet."""

    status: VerificationStatus
    reason: str | None = None
    remaining_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchOrder:
    """Input of a dispatcher's workflow and of its activity: whose deliveries."""

    webhook_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """Answer of the dispatching activity. `next_s`: when to come again, 0 for at once, None for when something happens.

    `is_closed`: the endpoint is gone or switched off. The counts are for whoever reads the workflow.
    """

    is_closed: bool = False
    next_s: float | None = None
    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """Answer of the upkeep activity: how many rows it had to mend."""

    restarted: int = 0
    expired: int = 0
    forgotten: int = 0
    woken: int = 0
    tended: int = 0
    lifted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHealthReport:
    """Answer of the activity that judges pools: how many routes, numbers and breakers it decided about."""

    demoted: int = 0
    restored: int = 0
    quarantined: int = 0
    returned: int = 0
    opened: int = 0
    closed: int = 0
    tried: int = 0
    rotated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOrder:
    """Input of a number's workflow and of its activity: which number."""

    number_id: UUID
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReport:
    """Answer of the activity that tends a number, in words for who reads the workflow.

    `next_s`: when to come again, None for when somebody changes the number.
    """

    status: str = "gone"
    done: str | None = None
    next: str | None = None
    next_s: float | None = None
