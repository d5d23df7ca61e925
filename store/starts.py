"""A start's two statements: the send is taken with all that its limits rest on, and what is new is written at once.

Moments are the database's, read when the send was taken: what is written of the start is known before it is, so that
PostgreSQL can be given the verification, its first attempt and its event in one round trip. SQLite gets them one after
the other; there a round trip costs nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, insert, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.challenge import MAX_TTL_S
from domain.errors import TooSoonError
from domain.events import NewEvent
from domain.facts import DayFacts, GuardFacts, VerificationFacts
from domain.statuses import AttemptStatus, VerificationStatus
from rules.protection.checks import DAY_S
from store.attempts import PLAN_VALUES, AttemptPlan, plan_attempt
from store.events import emit, insert_of, numbered, parameters
from store.guards import FIRST_SEND, NumberKey, new_person_salt, taken_facts, taking
from store.tables import Attempt, Verification, table_of
from store.times import fixed, now, now_plus
from store.verifications import FACTS, VERIFICATION_VALUES, NewVerification, verification_facts

_verification, _attempt = table_of(Verification), table_of(Attempt)
_of_day = _verification.alias("of_day")
_PENDING = _verification.c.status == fixed(VerificationStatus.PENDING)
_OF_NUMBER = and_(
    _verification.c.account_id == bindparam("of_account"),
    _verification.c.environment == bindparam("of_environment"),
    _verification.c.number_hash == bindparam("of_number"),
)
# As text, because SQLAlchemy leaves table names out of what SQLite returns, in subqueries too, where they decide.
_SAME_NUMBER = text(
    "of_day.account_id = number_guard.account_id AND of_day.environment = number_guard.environment"
    " AND of_day.number_hash = number_guard.number_hash"
)
# Not `IS NULL OR`: SQLite 3.40 finds a column that is NULL not to be so, in subqueries of what an upsert returns.
_SINCE_UNLOCKED = text("coalesce(of_day.created_at > number_guard.unlocked_at, true)")
# One that began a day and its longest life ago may still have had guesses within the day.
_WITHIN_S = DAY_S + MAX_TTL_S


def _in_a_day(what: ColumnElement[Any], name: str, *conditions: Any) -> ColumnElement[Any]:
    """Return an aggregate over the number's verifications of the last day, beside its guard."""
    query = select(what).select_from(_of_day).where(_SAME_NUMBER, *conditions)
    return query.where(_of_day.c.created_at > now_plus(-_WITHIN_S)).scalar_subquery().label(name)


_CHECKS = func.coalesce(func.sum(_of_day.c.checks), fixed(0))
_DAY = (
    _in_a_day(_CHECKS, "checks_today_in_all"),
    _in_a_day(_CHECKS, "checks_today", _SINCE_UNLOCKED),
    _in_a_day(func.min(_of_day.c.created_at), "oldest_at", _SINCE_UNLOCKED),
)
_NONE_PENDING = ~select(literal(1)).select_from(_verification).where(_OF_NUMBER, _PENDING).exists()
_SOURCE = FIRST_SEND.where(_NONE_PENDING)
_TAKE = {"sqlite": taking(sqlite.insert, _SOURCE, *_DAY), "postgresql": taking(postgresql.insert, _SOURCE, *_DAY)}
_PENDING_ONE = select(*FACTS).where(_OF_NUMBER, _PENDING)


def _all_of(table: Table, names: Iterable[str], prefix: str) -> dict[str, Any]:
    return {name: bindparam(f"{prefix}{name}", type_=table.c[name].type) for name in names}


_VERIFICATION = insert(_verification).values(
    status=VerificationStatus.PENDING.value,
    checks=0,
    replays=0,
    attempts_made=1,
    **_all_of(_verification, VERIFICATION_VALUES, "v_"),
)
_ATTEMPT = insert(_attempt).values(
    status=AttemptStatus.PLANNED.value, planned_at=now(), learnt=0, **_all_of(_attempt, PLAN_VALUES, "a_")
)
_ALL_AT_ONCE = insert_of(numbered()).add_cte(
    _VERIFICATION.returning(_verification.c.id).cte("started"), _ATTEMPT.returning(_attempt.c.id).cte("planned")
)


async def take_first_send(connection: AsyncConnection, number: NumberKey) -> tuple[GuardFacts, DayFacts] | None:
    """Count the send of a new verification, and return what the number has had; None, and nothing changed, if not.

    It is not when the number has a verification pending, and when `take_send` would not.
    """
    values = {**number, "fresh_salt": new_person_salt()}
    row = (await connection.execute(_TAKE[connection.dialect.name], values)).one_or_none()
    if row is None:
        return None
    day = DayFacts(checks=row.checks_today, checks_in_all=row.checks_today_in_all, oldest_at=row.oldest_at)
    return taken_facts(row), day


async def pending_of(connection: AsyncConnection, number: NumberKey) -> VerificationFacts | None:
    """Return a number's pending verification, however old, overdue ones included."""
    row = (await connection.execute(_PENDING_ONE, number)).one_or_none()
    return None if row is None else verification_facts(row)


async def insert_verification(connection: AsyncConnection, new: NewVerification) -> None:
    """Insert a pending verification that has its first counter taken.

    Raises:
        TooSoonError: the number has one pending already, begun by a request a moment ahead of this one.

    """
    with _one_pending():
        await connection.execute(_VERIFICATION, _prefixed("v_", new.values()))


async def write_start(connection: AsyncConnection, new: NewVerification, plan: AttemptPlan, event: NewEvent) -> None:
    """Write a pending verification, the attempt that took its first counter, and the event of it.

    Raises:
        TooSoonError: the number has one pending already, begun by a request a moment ahead of this one.

    """
    if connection.dialect.name == "sqlite":
        await insert_verification(connection, new)
        await plan_attempt(connection, plan)
        await emit(connection, event)
        return
    values = _prefixed("v_", new.values()) | _prefixed("a_", plan.values()) | parameters([event])
    with _one_pending():
        await connection.execute(_ALL_AT_ONCE, values)


def _prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in values.items()}


@contextmanager
def _one_pending() -> Iterator[None]:
    """Turn the collision of two starts of one number into the refusal of the later one."""
    try:
        yield
    except IntegrityError as error:
        raise TooSoonError("Another request has just started this number; try again.", retry_after_s=1) from error
