"""A guess is counted before it is compared, in one conditional statement; the row's own allowance is the limit.

The statement holds the row until the transaction ends, so guesses at one verification are judged one after another, on
any number of API processes, and the one after an approval sees it.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import AttemptFacts, SendFacts, VerificationFacts
from domain.statuses import Environment, VerificationStatus
from rules.protection.checks import DELAY_FROM_FAILURE, DELAYS_S
from store.attempts import FACTS as ATTEMPT_FACTS
from store.attempts import attempt_facts, attempts_of
from store.guards import of_guard, send_facts
from store.tables import Attempt, Verification, table_of
from store.times import fixed, keyed, now, now_plus
from store.verifications import FACTS, OF_ACCOUNT, verification_facts

_verification, _attempt = table_of(Verification), table_of(Attempt)


def _next_check_at() -> ColumnElement[Any]:
    """Return when the guess after this one may come: growing delays from the tenth failure in a row on."""
    failures = _verification.c.failures_before + _verification.c.checks + fixed(1)
    steps = [(failures == fixed(DELAY_FROM_FAILURE + at), now_plus(delay)) for at, delay in enumerate(DELAYS_S[:-1])]
    return case((failures < fixed(DELAY_FROM_FAILURE), null()), *steps, else_=now_plus(DELAYS_S[-1]))


ADVICE = (of_guard("recent_sends"), of_guard("next_send_at"))
_IN_TIME = _verification.c.expires_at > now()
_COUNT_GUESS = (
    update(_verification)
    .where(
        OF_ACCOUNT,
        _verification.c.status == keyed(VerificationStatus.PENDING),
        _verification.c.checks < _verification.c.max_checks,
        _IN_TIME,
        or_(_verification.c.next_check_at.is_(None), _verification.c.next_check_at <= now()),
    )
    .values(checks=_verification.c.checks + fixed(1), next_check_at=_next_check_at())
    .returning(*FACTS, *ADVICE)
)
_COUNT_REPLAY = (
    update(_verification)
    .where(
        OF_ACCOUNT,
        and_(_verification.c.status == keyed(VerificationStatus.APPROVED), _IN_TIME),
        # Wrong guesses before and after the approval together stay within the allowance; the approving one was right.
        _verification.c.checks + _verification.c.replays <= _verification.c.max_checks,
    )
    .values(replays=_verification.c.replays + fixed(1))
    .returning(*FACTS, *ADVICE)
)
# What becomes of an attempt while the statement waits for the row is not seen by it: the code that somebody types has
# left long before.
_COUNTED = _COUNT_GUESS.cte("counted")
_ATTEMPT_NAMES = tuple(column.name for column in ATTEMPT_FACTS)
_OF_ATTEMPT = tuple(column.label(f"attempt_{column.name}") for column in ATTEMPT_FACTS)
_COUNT_AND_READ = (
    select(_COUNTED, *_OF_ATTEMPT)
    .select_from(_COUNTED.outerjoin(_attempt, _attempt.c.verification_id == _COUNTED.c.id))
    .order_by(_attempt.c.sequence)
)
_READ_WITH_ADVICE = select(*FACTS, *ADVICE).where(OF_ACCOUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithAdvice:
    """A verification beside what its number may still get."""

    facts: VerificationFacts
    guard: SendFacts


async def count_guess(
    connection: AsyncConnection, verification_id: UUID, *, account_id: UUID, environment: Environment
) -> tuple[WithAdvice, list[AttemptFacts]] | None:
    """Count one guess at a pending verification, and return it with its attempts; None when none may be compared now.

    PostgreSQL does both in one statement; SQLite, whose round trips cost nothing, in two.
    """
    if connection.dialect.name == "sqlite":
        counted = await _one(connection, _COUNT_GUESS, verification_id, account_id, environment)
        return None if counted is None else (counted, await attempts_of(connection, verification_id))
    whose = {"of_id": verification_id, "of_account": account_id, "of_environment": environment.value}
    rows = (await connection.execute(_COUNT_AND_READ, whose)).all()
    if not rows:
        return None
    return with_advice(rows[0]), [_attempt_in(row) for row in rows if row.attempt_id is not None]


def _attempt_in(row: Any) -> AttemptFacts:
    """Return the attempt in a row that has its columns last, under names of their own."""
    return attempt_facts(SimpleNamespace(**dict(zip(_ATTEMPT_NAMES, row[-len(_ATTEMPT_NAMES) :], strict=True))))


async def count_replay(
    connection: AsyncConnection, verification_id: UUID, *, account_id: UUID, environment: Environment
) -> WithAdvice | None:
    """Count one guess at an approved verification inside its lifetime; a right one is rolled back by the caller."""
    return await _one(connection, _COUNT_REPLAY, verification_id, account_id, environment)


async def read_with_advice(
    connection: AsyncConnection, verification_id: UUID, *, account_id: UUID, environment: Environment
) -> WithAdvice | None:
    """Return a verification of one account with its number's guard."""
    return await _one(connection, _READ_WITH_ADVICE, verification_id, account_id, environment)


async def _one(
    connection: AsyncConnection, statement: Any, verification_id: UUID, account_id: UUID, environment: Environment
) -> WithAdvice | None:
    whose = {"of_id": verification_id, "of_account": account_id, "of_environment": environment.value}
    row = (await connection.execute(statement, whose)).one_or_none()
    return None if row is None else with_advice(row)


def with_advice(row: Any) -> WithAdvice:
    """Return what a row selected with `FACTS` and `ADVICE` holds."""
    return WithAdvice(facts=verification_facts(row), guard=send_facts(row))
