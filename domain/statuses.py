"""The words for where things stand; they appear as they are in the API, the tables and the workflow."""

from enum import StrEnum


class Environment(StrEnum):
    """Which world a key, and all that it touches, belongs to."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class AccountStatus(StrEnum):
    """How an account stands with the instance. Only the first two may send; `closed` may do nothing any more."""

    ACTIVE = "active"
    WARNED = "warned"
    RESTRICTED = "restricted"
    SUSPENDED = "suspended"
    CLOSED = "closed"


MAY_SEND = (AccountStatus.ACTIVE, AccountStatus.WARNED)


class BlockRule(StrEnum):
    """What blocks: a number that had too many wrong codes in a row; an account that may not send."""

    FAILURES_IN_A_ROW = "failures_in_a_row"
    ACCOUNT_STATUS = "account_status"


class LiftedBy(StrEnum):
    """What ended a block: its account, the instance's operators, or its time."""

    ACCOUNT = "account"
    OPERATOR = "operator"
    TIME = "time"


class Channel(StrEnum):
    """How a code travels."""

    SMS = "sms"


class Purpose(StrEnum):
    """Why a business wants the proof."""

    CONFIRM_CONTACT = "confirm_contact"
    AUTHENTICATE = "authenticate"
    RECOVER = "recover"


class VerificationStatus(StrEnum):
    """Where a verification stands; everything but `pending` is final."""

    PENDING = "pending"
    APPROVED = "approved"
    CANCELED = "canceled"
    EXPIRED = "expired"
    MAX_ATTEMPTS_REACHED = "max_attempts_reached"
    FAILED = "failed"


class AttemptStatus(StrEnum):
    """Where an attempt stands. It only moves forward: planned, submitting, a carrier's answer, a receipt."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"


class SubmissionStatus(StrEnum):
    """What a carrier answered when it was handed a message."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


class ReceiptStatus(StrEnum):
    """A carrier's later word about a message."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class FailureClass(StrEnum):
    """What kind of failure a carrier's code stands for; every carrier's table maps to these."""

    RECIPIENT_PERMANENT = "recipient_permanent"
    RECIPIENT_TEMPORARY = "recipient_temporary"
    ROUTE_TEMPORARY = "route_temporary"
    THROTTLED = "throttled"
    BLOCKED_CONTENT = "blocked_content"
    BLOCKED_SENDER = "blocked_sender"
    OPTED_OUT = "opted_out"
    ACCOUNT = "account"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
