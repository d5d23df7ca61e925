"""What the answer to a submission says of a carrier's connection in a region, whatever the country and the number.

Pure. A carrier that cannot be reached, stays silent or knows us no longer does so towards every country: so the first
messages to one country find out for all. A refusal, of whatever kind, came over a connection that works.
"""

from domain.statuses import FailureClass, SubmissionStatus

# What adapters say of a message that did not reach the carrier.
NOT_REACHED = frozenset({"unreachable", "no_connection_free"})


def connection_name(carrier: str, *, region: str) -> str:
    """Return the words that name a carrier's connection and no other."""
    return f"{carrier}/{region}"


def is_of_the_connection(
    status: SubmissionStatus, failure_class: FailureClass | None, carrier_code: str | None
) -> bool:
    """Say whether an answer to a submission, or that there was none, speaks against the connection."""
    if status is SubmissionStatus.UNKNOWN:
        return True
    is_refused = status is SubmissionStatus.REJECTED
    return is_refused and (failure_class is FailureClass.ACCOUNT or carrier_code in NOT_REACHED)
