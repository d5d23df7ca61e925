"""Who stands before whom where messages wait: one line for each bucket, in the order in which their codes end.

The messages of a number stand in its line, and all of a carrier's connection in the connection's, where it has a pace;
whatever number they leave with, and if they have none.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, or_

from domain.statuses import AttemptStatus, VerificationStatus
from rules.routing.capacity import LATE_S
from store.tables import Attempt, Verification, table_of
from store.times import fixed, keyed, now_plus

_verification = table_of(Verification)
# Another attempt that waits, and its verification.
OTHER = table_of(Attempt).alias("other")
OF_OTHER = _verification.alias("of_other")
OTHERS = OTHER.join(OF_OTHER, OF_OTHER.c.id == OTHER.c.verification_id)


def number_bucket_name(attempt: Any) -> ColumnElement[str]:
    """Return the name of the bucket of an attempt's number (`rules/routing/capacity.py`)."""
    return literal("number/").concat(func.replace(cast(attempt.c.number_id, String), "-", ""))


def connection_bucket_name(attempt: Any) -> ColumnElement[str]:
    """Return the name of the bucket of the connection that an attempt leaves through."""
    return literal("carrier/").concat(attempt.c.carrier).concat("/").concat(attempt.c.region)


def bucket_names(attempt: Any) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Return the names of the buckets that a message of an attempt is paid from."""
    return number_bucket_name(attempt), connection_bucket_name(attempt)


def is_of_number(attempt: Any) -> ColumnElement[bool]:
    """Return whether the other attempt leaves with the same number."""
    return and_(OTHER.c.number_id == attempt.c.number_id)


def is_of_connection(attempt: Any) -> ColumnElement[bool]:
    """Return whether the other attempt leaves through the same connection."""
    return and_(OTHER.c.carrier == attempt.c.carrier, OTHER.c.region == attempt.c.region)


def is_ahead(attempt: Any, verification: Any) -> ColumnElement[bool]:
    """Return whether the other attempt waits, has come when it was told to, and goes first: its code ends sooner."""
    return and_(
        OTHER.c.status == fixed(AttemptStatus.PLANNED),
        OTHER.c.waits_until > now_plus(-LATE_S),
        OTHER.c.id != attempt.c.id,
        OF_OTHER.c.status == keyed(VerificationStatus.PENDING),
        or_(
            OF_OTHER.c.expires_at < verification.c.expires_at,
            and_(OF_OTHER.c.expires_at == verification.c.expires_at, OTHER.c.id < attempt.c.id),
        ),
    )
