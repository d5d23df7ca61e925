"""Submissions and receipts: an attempt is handed over at most once and settled once.

Each step is one conditional statement, so that of any number of workers one wins, and states only move forward.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import AttemptStatus, FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from rules.routing.number_life import IN_SERVICE
from store.guards import OF_THE_VERIFICATION
from store.number_tables import RoutingLease, SenderNumber
from store.tables import Attempt, NumberGuard, Verification, table_of
from store.times import fixed, keyed, now

_attempt = table_of(Attempt)
_number, _lease = table_of(SenderNumber), table_of(RoutingLease)
_verification, _guard = table_of(Verification), table_of(NumberGuard)
IS_LIVE_VERIFICATION = (
    select(literal(1))
    .where(
        _verification.c.id == _attempt.c.verification_id,
        _verification.c.status == keyed(VerificationStatus.PENDING),
        _verification.c.expires_at > now(),
    )
    .exists()
)


_SAME = text("verification.id = attempt.verification_id")
_OWNER = "(SELECT verification.account_id FROM verification WHERE verification.id = attempt.verification_id)"


def _of_verification(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column of the attempt's verification beside the attempt's own, without a second statement.

    Joined as text, because SQLAlchemy leaves table names out of what SQLite returns, in subqueries too.
    """
    return select(column).select_from(_verification).where(_SAME).scalar_subquery().label(column.key)


def _of_guard(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column of the guard row of the attempt's number, in the same way."""
    both = _guard.join(_verification, OF_THE_VERIFICATION)
    return select(column).select_from(both).where(_SAME).scalar_subquery().label(column.key)


# The fence of the number's routing lease, proved where the attempt is taken. The lease is held for the moment, so that
# it is taken away before this or after it. A sender that is in no pool has no lease.
IS_LENT = (
    select(literal(1))
    .select_from(_lease.join(_number, _number.c.id == _lease.c.number_id))
    .where(
        _lease.c.number_id == _attempt.c.number_id,
        _lease.c.fence == _attempt.c.fence,
        _lease.c.expires_at > now(),
        _number.c.state.in_([fixed(each) for each in sorted(IN_SERVICE)]),
        or_(_number.c.account_id.is_(None), text("sender_number.account_id = " + _OWNER)),
    )
    .with_for_update(read=True, of=_lease)
    .correlate(_attempt)
    .exists()
)
BEGIN = (
    update(_attempt)
    .where(
        _attempt.c.id == bindparam("of_attempt"),
        _attempt.c.status == keyed(AttemptStatus.PLANNED),
        IS_LIVE_VERIFICATION,
        or_(_attempt.c.number_id.is_(None), IS_LENT),
    )
    .values(status=fixed(AttemptStatus.SUBMITTING), submitting_at=now())
    .returning(
        _attempt.c.verification_id,
        _attempt.c.sequence,
        _attempt.c.send,
        _attempt.c.channel,
        _attempt.c.carrier,
        _attempt.c.region,
        _attempt.c.pool_country,
        _attempt.c.sender,
        _attempt.c.price_micros,
        _attempt.c.currency,
        now().label("read_at"),
        *(
            _of_verification(column)
            for column in (
                _verification.c.account_id,
                _verification.c.environment,
                _verification.c.country,
                _verification.c.number_sealed,
                _verification.c.code_length,
                _verification.c.locale,
                _verification.c.brand,
                _verification.c.expires_at,
                _verification.c.code_key_version,
            )
        ),
        _of_guard(_guard.c.person_salt),
    )
)
# A receipt may overtake the answer; it was kept, and now that the message is accepted it is the status.
SETTLE_WITH_ANSWER = (
    update(_attempt)
    .where(_attempt.c.id == bindparam("of_attempt"), _attempt.c.status == fixed(AttemptStatus.SUBMITTING))
    .values(
        status=case(
            (
                and_(
                    bindparam("verdict") == fixed(SubmissionStatus.ACCEPTED),
                    _attempt.c.receipt_status.is_not(None),
                    _attempt.c.receipt_status != fixed(ReceiptStatus.UNKNOWN),
                ),
                _attempt.c.receipt_status,
            ),
            else_=bindparam("verdict"),
        ),
        failure_class=func.coalesce(_attempt.c.failure_class, bindparam("failed_as")),
        carrier_code=func.coalesce(_attempt.c.carrier_code, bindparam("their_code")),
        carrier_message_id=bindparam("their_id"),
        answered_at=now(),
    )
)
_ABANDONED = literal_column("'abandoned'", String)
_SETTLE_UNSENT = (
    update(_attempt)
    .where(
        _attempt.c.id == bindparam("of_attempt"),
        _attempt.c.status.in_((AttemptStatus.PLANNED.value, fixed(AttemptStatus.SUBMITTING))),
    )
    .values(
        status=case(
            (_attempt.c.status == fixed(AttemptStatus.PLANNED), fixed(AttemptStatus.REJECTED)),
            else_=fixed(AttemptStatus.UNKNOWN),
        ),
        failure_class=case(
            (_attempt.c.status == fixed(AttemptStatus.PLANNED), fixed(FailureClass.ROUTE_TEMPORARY)),
            else_=fixed(FailureClass.UNKNOWN),
        ),
        carrier_code=case(
            (_attempt.c.status == fixed(AttemptStatus.PLANNED), bindparam("their_code")), else_=_ABANDONED
        ),
        answered_at=now(),
    )
)
_WITHDRAW = delete(_attempt).where(
    _attempt.c.id == bindparam("of_attempt"), _attempt.c.status == keyed(AttemptStatus.PLANNED)
)
# The first final word stands. An attempt that is `unknown` stays so: the receipt is kept beside it.
_RECEIPT = (
    update(_attempt)
    .where(
        _attempt.c.id == bindparam("of_attempt"),
        _attempt.c.carrier == bindparam("from_carrier"),
        _attempt.c.submitting_at.is_not(None),
        or_(_attempt.c.receipt_status.is_(None), _attempt.c.receipt_status == fixed(ReceiptStatus.UNKNOWN)),
    )
    .values(
        receipt_status=bindparam("word"),
        receipt_at=now(),
        status=case(
            (
                and_(
                    _attempt.c.status == fixed(AttemptStatus.ACCEPTED),
                    bindparam("word") != fixed(ReceiptStatus.UNKNOWN),
                ),
                bindparam("word"),
            ),
            else_=_attempt.c.status,
        ),
        failure_class=func.coalesce(_attempt.c.failure_class, bindparam("failed_as")),
        carrier_code=func.coalesce(_attempt.c.carrier_code, bindparam("their_code")),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that its winner, and nobody else, may submit: route, counter of the code, what the message needs."""

    verification_id: UUID
    sequence: int
    send: int
    channel: str
    carrier: str
    region: str
    pool_country: str
    sender: str
    account_id: UUID
    environment: str
    country: str
    number_sealed: str = field(repr=False)
    code_length: int
    locale: str
    brand: str
    expires_at: datetime
    read_at: datetime
    code_key_version: int
    person_salt: str | None = field(repr=False)
    price_micros: int | None = None
    currency: str | None = None


async def begin_submission(connection: AsyncConnection, attempt_id: UUID) -> Begun | None:
    """Take an attempt from planned to submitting; tell the one caller that won what to submit, and all others None."""
    row = (await connection.execute(BEGIN, {"of_attempt": attempt_id})).mappings().one_or_none()
    return None if row is None else Begun(**row)


def answer_values(
    attempt_id: UUID,
    *,
    status: SubmissionStatus,
    failure_class: FailureClass | None,
    carrier_code: str | None,
    carrier_message_id: str | None,
) -> dict[str, object]:
    """Return the parameters of `SETTLE_WITH_ANSWER`; the statement itself runs in `store/answers.py`."""
    return {
        "of_attempt": attempt_id,
        "verdict": status.value,
        "failed_as": failure_class and failure_class.value,
        "their_code": carrier_code,
        "their_id": carrier_message_id,
    }


async def settle_unsent(connection: AsyncConnection, attempt_id: UUID, *, code: str) -> bool:
    """Settle an attempt that nobody will finish: not begun is rejected with a code, begun is `abandoned`, unknown.

    False when it was settled before.
    """
    return bool((await connection.execute(_SETTLE_UNSENT, {"of_attempt": attempt_id, "their_code": code})).rowcount)


async def withdraw_planned(connection: AsyncConnection, attempt_id: UUID) -> bool:
    """Take back an attempt that nobody has begun to send; False when somebody has."""
    return bool((await connection.execute(_WITHDRAW, {"of_attempt": attempt_id})).rowcount)


async def record_receipt(
    connection: AsyncConnection,
    attempt_id: UUID,
    *,
    carrier: str,
    status: ReceiptStatus,
    failure_class: FailureClass | None = None,
    carrier_code: str | None = None,
) -> bool:
    """Keep a carrier's word about a message; False when there was one already, or nothing was sent."""
    values = {
        "of_attempt": attempt_id,
        "from_carrier": carrier,
        "word": status.value,
        "failed_as": failure_class and failure_class.value,
        "their_code": carrier_code,
    }
    return bool((await connection.execute(_RECEIPT, values)).rowcount)
