"""A carrier's answer and the event that tells of it: both or neither.

PostgreSQL does it in one statement, which is a transaction of its own: a round trip instead of five on the way of every
message. SQLite has no such statement, and its round trips cost nothing.
"""

from contextlib import suppress
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import NewEvent
from domain.statuses import FailureClass, SubmissionStatus
from store.engine import Database
from store.events import emit, insert_of, numbered, parameters
from store.submissions import SETTLE_WITH_ANSWER, answer_values
from store.tables import Attempt, Verification, table_of

_attempt = table_of(Attempt)
_verification = table_of(Verification)
# Each try waits for whoever holds the verification, and then sees what that one wrote.
_TRIES = 8
# Joined, so that the verification is locked before the attempt: the order in which everybody locks them.
_HELD = select(_verification.c.id).where(_verification.c.id == bindparam("of_event_0")).with_for_update().cte("held")
_ANSWERED = SETTLE_WITH_ANSWER.where(_attempt.c.verification_id == _HELD.c.id).returning(_attempt.c.id).cte("answered")
_ANSWER_AND_TELL = insert_of(numbered().select_from(_ANSWERED))


async def record_answer(
    database: Database,
    attempt_id: UUID,
    event: NewEvent,
    *,
    status: SubmissionStatus,
    failure_class: FailureClass | None = None,
    carrier_code: str | None = None,
    carrier_message_id: str | None = None,
) -> bool:
    """Settle a submission with the carrier's answer and tell of it; False, and neither, when it was settled before."""
    values = answer_values(
        attempt_id,
        status=status,
        failure_class=failure_class,
        carrier_code=carrier_code,
        carrier_message_id=carrier_message_id,
    )
    if database.is_sqlite:
        async with database.transaction() as connection:
            is_settled = bool((await connection.execute(SETTLE_WITH_ANSWER, values)).rowcount)
            if is_settled:
                await emit(connection, event)
        return is_settled
    async with database.statement() as connection:
        return await _answer_and_tell(connection, {**values, **parameters([event])})


async def _answer_and_tell(connection: AsyncConnection, values: dict[str, object]) -> bool:
    """Run the statement until its number is free: one that waits for the verification has counted before it waits."""
    for _ in range(_TRIES - 1):
        with suppress(IntegrityError):
            return bool((await connection.execute(_ANSWER_AND_TELL, values)).rowcount)
    return bool((await connection.execute(_ANSWER_AND_TELL, values)).rowcount)
