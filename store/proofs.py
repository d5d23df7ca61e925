"""The end of a verification whose code came back: its row, the attempt's, its number's failures, and the event.

PostgreSQL does it in one statement, a round trip instead of four while the row is held. On SQLite round trips cost
nothing.
"""

from dataclasses import replace

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import AttemptFacts, VerificationFacts
from domain.statuses import VerificationStatus
from domain.verification_events import ended
from store.costs import cost_of_attempts
from store.events import emit, insert_of, numbered, parameters
from store.guards import CLEAR_FAILURES
from store.tables import Attempt, Verification, table_of
from store.times import UtcDateTime, fixed, keyed
from store.verifications import number_of

CODE_PROVED = "code_proved"
_verification, _attempt = table_of(Verification), table_of(Attempt)
_at = bindparam("proved_at", type_=UtcDateTime())
_END = (
    update(_verification)
    .where(
        _verification.c.id == bindparam("of_verification"),
        _verification.c.account_id == bindparam("of_account"),
        _verification.c.environment == bindparam("of_environment"),
        _verification.c.status == keyed(VerificationStatus.PENDING),
    )
    .values(status=VerificationStatus.APPROVED.value, reason=CODE_PROVED, finished_at=_at)
)
_PROVE = (
    update(_attempt)
    .where(_attempt.c.verification_id == bindparam("of_verification"), _attempt.c.sequence == bindparam("counter"))
    .values(proved_at=_at)
)
_ENDED = _END.returning(_verification.c.id).cte("ended")
_ALL_AT_ONCE = insert_of(numbered().select_from(_ENDED)).add_cte(
    _PROVE.returning(_attempt.c.id).cte("proved"), CLEAR_FAILURES.returning(fixed(1)).cte("cleared")
)


async def approve(
    connection: AsyncConnection, facts: VerificationFacts, attempts: list[AttemptFacts], *, counter: int
) -> tuple[VerificationFacts, list[AttemptFacts]]:
    """End a verification as approved by the code of one of its attempts; return both as they are then.

    The caller has counted the guess, and so holds the row and has read it as pending, at the moment that becomes its
    end. The number's failures in a row are cleared in the same transaction.
    """
    after = replace(facts, status=VerificationStatus.APPROVED, reason=CODE_PROVED, finished_at=facts.read_at)
    route = next(each for each in attempts if each.sequence == counter)
    event = ended(after, cost_of_attempts(attempts), proved=route)
    values = {"of_verification": facts.id, "counter": counter, "proved_at": facts.read_at, **number_of(facts)}
    if connection.dialect.name == "sqlite":
        ended_ones = (await connection.execute(_END, values)).rowcount
        await connection.execute(_PROVE, values)
        await connection.execute(CLEAR_FAILURES, values)
        await emit(connection, event)
    else:
        ended_ones = (await connection.execute(_ALL_AT_ONCE, {**values, **parameters([event])})).rowcount
    # The guess holds the row, so nobody can have ended it in between.
    assert ended_ones == 1  # noqa: S101 - states the invariant for the reader
    proved = [replace(each, proved_at=facts.read_at) if each is route else each for each in attempts]
    return after, proved
