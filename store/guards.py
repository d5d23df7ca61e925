"""What a number may still get: one row per account and number, changed in one conditional statement at a time."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import GuardFacts, SendFacts
from domain.statuses import MAY_SEND, Environment
from rules.protection.checks import LOCK_S
from rules.protection.sends import GAPS_S, REMEMBERED, SHORT, WINDOWS
from rules.routing.number_life import is_sticky
from store.tables import Account, NumberGuard, table_of
from store.times import MARK_WIDTH, fixed, mark_plus, moment_of_mark, now, now_plus

_guard = table_of(NumberGuard)
_account = table_of(Account)
_OF_NUMBER = and_(
    _guard.c.account_id == bindparam("of_account"),
    _guard.c.environment == bindparam("of_environment"),
    _guard.c.number_hash == bindparam("of_number"),
)
_SEEN = (
    _guard.c.recent_sends,
    _guard.c.next_send_at,
    _guard.c.failures,
    _guard.c.next_check_at,
    _guard.c.locked_until,
    _guard.c.unlocked_at,
    _guard.c.person_salt,
    now().label("read_at"),
)
_PERSON_SALT_BYTES = 16
# Who wrote to the number last, lately enough that it should be so again. As text, because of the names below.
_LAST_SENDER = literal_column(
    "(SELECT attempt.sender FROM attempt JOIN verification ON attempt.verification_id = verification.id"
    " WHERE verification.account_id = number_guard.account_id"
    " AND verification.environment = number_guard.environment"
    " AND verification.number_hash = number_guard.number_hash"
    " AND attempt.submitting_at IS NOT NULL AND attempt.status NOT IN ('rejected', 'throttled')"
    " ORDER BY verification.created_at DESC, attempt.sequence DESC LIMIT 1)",
    String,
).label("last_sender")
# As text, because SQLAlchemy leaves table names out of what SQLite returns, in subqueries too, where they decide.
OF_THE_VERIFICATION = text(
    "number_guard.account_id = verification.account_id AND number_guard.environment = verification.environment "
    "AND number_guard.number_hash = verification.number_hash"
)


def of_guard(name: str) -> ColumnElement[Any]:
    """Return a column of the number's guard row beside a verification's own, without a second statement."""
    return select(_guard.c[name]).select_from(_guard).where(OF_THE_VERIFICATION).scalar_subquery().label(name)


def _mark(position: int) -> ColumnElement[str]:
    """Return the mark of the n-th latest send (1 is the last one); empty text, which is before all time, if none."""
    return func.substr(_guard.c.recent_sends, fixed(1 + (position - 1) * MARK_WIDTH), fixed(MARK_WIDTH))


def _is_lock_over() -> ColumnElement[bool]:
    return or_(_guard.c.locked_until.is_(None), _guard.c.locked_until <= now())


# Of no row when the account may not send: so a suspension stops the next send on every process, without a statement.
FIRST_SEND = select(
    _account.c.id.label("account_id"),
    bindparam("of_environment", type_=_guard.c.environment.type).label("environment"),
    bindparam("of_number", type_=_guard.c.number_hash.type).label("number_hash"),
    mark_plus(0).label("recent_sends"),
    fixed(1).label("streak"),
    now_plus(GAPS_S[0]).label("next_send_at"),
    fixed(0).label("failures"),
    bindparam("fresh_salt", type_=_guard.c.person_salt.type).label("person_salt"),
).where(_account.c.id == bindparam("of_account"), _account.c.status.in_([fixed(each) for each in MAY_SEND]))


def taking(insert: Any, source: Any, *beside: ColumnElement[Any]) -> Any:
    """Build the statement that takes one send, or changes nothing when source, gap, window or lock forbids it.

    `source` is `FIRST_SEND`, perhaps with more conditions; `beside` are columns to return beside the guard's.
    """
    streak = case((_mark(1) > mark_plus(-SHORT.length_s), _guard.c.streak + fixed(1)), else_=fixed(1))
    gap = case(
        *((streak == fixed(at + 1), now_plus(gap_s)) for at, gap_s in enumerate(GAPS_S)), else_=now_plus(GAPS_S[-1])
    )
    lock_ran_out = and_(_guard.c.locked_until.is_not(None), _guard.c.locked_until <= now())
    new = insert(_guard)
    return (
        new.from_select([column.name for column in source.selected_columns], source)
        .on_conflict_do_update(
            index_elements=["account_id", "environment", "number_hash"],
            set_={
                "recent_sends": func.substr(
                    mark_plus(0).concat(_guard.c.recent_sends), fixed(1), fixed(REMEMBERED * MARK_WIDTH)
                ),
                "streak": streak,
                "next_send_at": gap,
                # A lock that ran its time is over for good: the number starts again from nothing.
                "failures": case((lock_ran_out, fixed(0)), else_=_guard.c.failures),
                "next_check_at": case((lock_ran_out, None), else_=_guard.c.next_check_at),
                "locked_until": None,
                "person_salt": func.coalesce(_guard.c.person_salt, new.excluded.person_salt),
            },
            where=and_(
                _guard.c.next_send_at <= now(),
                _is_lock_over(),
                *(_mark(window.count) <= mark_plus(-window.length_s) for window in WINDOWS),
            ),
        )
        .returning(*_SEEN, _LAST_SENDER, *beside)
    )


_TAKE_SEND = {
    "sqlite": taking(sqlite.insert, FIRST_SEND),
    "postgresql": taking(postgresql.insert, FIRST_SEND),
}
_READ = select(*_SEEN).where(_OF_NUMBER)
_READ_LAST = select(*_SEEN, _LAST_SENDER).where(_OF_NUMBER, _guard.c.recent_sends != "")
_GIVE_BACK = (
    update(_guard)
    .where(_OF_NUMBER, _mark(1) == bindparam("mark"))
    .values(
        recent_sends=func.substr(_guard.c.recent_sends, 1 + MARK_WIDTH),
        streak=_guard.c.streak - 1,
        next_send_at=now(),
    )
)
CLEAR_FAILURES = update(_guard).where(_OF_NUMBER).values(failures=0, next_check_at=None, locked_until=None)
_UNLOCK = CLEAR_FAILURES.values(unlocked_at=now())
_ADD_FAILURES = (
    update(_guard)
    .where(_OF_NUMBER)
    .values(
        failures=_guard.c.failures + bindparam("more"),
        next_check_at=bindparam("until"),
        locked_until=case(
            (_guard.c.failures + bindparam("more") >= bindparam("cap"), now_plus(literal(LOCK_S))), else_=None
        ),
    )
    .returning(_guard.c.failures, _guard.c.locked_until)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """How many failures in a row have locked a number, and until when."""

    failures: int
    until: datetime


class NumberKey(dict[str, Any]):
    """Whose number: the parameters that name one guard row."""

    def __init__(self, *, account_id: UUID, environment: Environment, number_hash: str) -> None:
        super().__init__(of_account=account_id, of_environment=environment.value, of_number=number_hash)

    @property
    def subject(self) -> str:
        """Return the number as the audit trail names it: by its keyed hash."""
        return f"number:{self['of_number']}"


async def take_send(connection: AsyncConnection, number: NumberKey) -> GuardFacts | None:
    """Count one send to a number, which gets its salt with the first; None, and nothing changed, if not allowed now."""
    values = {**number, "fresh_salt": new_person_salt()}
    row = (await connection.execute(_TAKE_SEND[connection.dialect.name], values)).one_or_none()
    return None if row is None else taken_facts(row)


async def give_back_send(connection: AsyncConnection, number: NumberKey, *, taken: SendFacts) -> None:
    """Undo `take_send` for a message that did not leave, unless another one has been counted since."""
    mark = f"{round(taken.recent_sends[0].timestamp() * 1000):0{MARK_WIDTH}d}"
    await connection.execute(_GIVE_BACK, {**number, "mark": mark})


async def read_guard(connection: AsyncConnection, number: NumberKey) -> GuardFacts | None:
    """Return what a number may still get, or None when nothing was ever sent to it."""
    row = (await connection.execute(_READ, number)).one_or_none()
    return None if row is None else guard_facts(row)


async def unlock(connection: AsyncConnection, number: NumberKey) -> bool:
    """Forget all of a number's failures and lift its lock; say whether there was a row to change."""
    return bool((await connection.execute(_UNLOCK, number)).rowcount)


async def add_failures(
    connection: AsyncConnection, number: NumberKey, *, more: int, until: Any, cap: int
) -> Lock | None:
    """Carry a finished verification's wrong guesses over to its number; when they reach the cap, lock it.

    Return what has locked it and until when, None when it is not locked.
    """
    values = {**number, "more": more, "until": until, "cap": cap}
    row = (await connection.execute(_ADD_FAILURES, values)).one_or_none()
    return None if row is None or row.locked_until is None else Lock(failures=row.failures, until=row.locked_until)


def new_person_salt() -> str:
    """Return a salt with which nothing that was sealed before can be opened: 32 hex digits."""
    return secrets.token_hex(_PERSON_SALT_BYTES)


async def last_sender_of(connection: AsyncConnection, number: NumberKey) -> str | None:
    """Return who wrote to a number last, where the next message should be from the same sender."""
    row = (await connection.execute(_READ_LAST, number)).one_or_none()
    if row is None or not is_sticky(send_facts(row).recent_sends[0], now=row.read_at):
        return None
    return None if row.last_sender is None else str(row.last_sender)


def taken_facts(row: Any) -> GuardFacts:
    """Return the facts of a row that `taking` returned."""
    return replace(guard_facts(row), last_sender=_still_seen(row))


def _still_seen(row: Any) -> str | None:
    """Return the sender that wrote last, unless its last message but this one was too long ago."""
    marks = send_facts(row).recent_sends
    before = marks[1] if len(marks) > 1 else None
    return row.last_sender if before is not None and is_sticky(before, now=row.read_at) else None


def guard_facts(row: Any) -> GuardFacts:
    """Return the facts of a row that has the guard's columns."""
    return GuardFacts(
        sends=send_facts(row),
        failures=row.failures,
        next_check_at=row.next_check_at,
        locked_until=row.locked_until,
        unlocked_at=row.unlocked_at,
        read_at=row.read_at,
        person_salt=row.person_salt,
    )


def send_facts(row: Any) -> SendFacts:
    """Return which messages a number got, of a row that has at least the guard's send columns."""
    marks = [row.recent_sends[at : at + MARK_WIDTH] for at in range(0, len(row.recent_sends), MARK_WIDTH)]
    return SendFacts(recent_sends=tuple(moment_of_mark(mark) for mark in marks), next_send_at=row.next_send_at)
