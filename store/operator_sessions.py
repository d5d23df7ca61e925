"""Sessions of operators: found by a keyed hash of their token; ended by idleness, by their time, or by hand."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Role
from domain.operators import OperatorStatus, SessionFacts
from rules.second_factor import IDLE_S, SESSION_S, STEP_UP_S
from store.operator_tables import Operator, OperatorSession
from store.tables import Account, table_of
from store.times import fixed, now, now_plus

_operator = table_of(Operator)
_session = table_of(OperatorSession)
_account = table_of(Account)
# How stale the word on when a session was last used may be, so that not every request writes.
SEEN_WITHIN_S = 60
_LIVE = and_(_session.c.expires_at > now(), _session.c.last_seen_at > now_plus(-IDLE_S))
_FIND = (
    select(
        _session,
        _operator.c.role,
        _operator.c.allowlist,
        _account.c.name.label("account_name"),
        (_session.c.last_seen_at < now_plus(-SEEN_WITHIN_S)).label("is_stale"),
    )
    .join(_operator, _operator.c.id == _session.c.operator_id)
    .outerjoin(_account, _account.c.id == bindparam("of_account"))
    .where(_session.c.token_hash == bindparam("of_token"), _LIVE, _operator.c.status == fixed(OperatorStatus.ACTIVE))
)
_IS_FRESH = select(_session.c.id).where(
    _session.c.id == bindparam("of_session"), _session.c.stepped_up_at > now_plus(-STEP_UP_S)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A live session, whose it is, and the name of the account that was asked for, None where there is no such."""

    facts: SessionFacts
    role: Role
    allowlist: tuple[str, ...]
    account_name: str | None
    is_stale: bool


async def insert_session(
    connection: AsyncConnection, session_id: UUID, *, operator_id: UUID, token_hash: str, address_hash: str | None
) -> SessionFacts:
    """Insert a session, whose second factor has just been seen."""
    query = insert(_session).values(
        id=session_id,
        operator_id=operator_id,
        token_hash=token_hash,
        address_hash=address_hash,
        created_at=now(),
        last_seen_at=now(),
        expires_at=now_plus(SESSION_S),
        stepped_up_at=now(),
    )
    return session_facts((await connection.execute(query.returning(_session))).one())


async def find_session(
    connection: AsyncConnection, token_hash: str, *, account_id: UUID | None
) -> StoredSession | None:
    """Return a live session of an active operator, with the account that they ask for."""
    row = (await connection.execute(_FIND, {"of_token": token_hash, "of_account": account_id})).one_or_none()
    if row is None:
        return None
    return StoredSession(
        facts=session_facts(row),
        role=Role(row.role),
        allowlist=tuple((row.allowlist or "").split()),
        account_name=row.account_name,
        is_stale=bool(row.is_stale),
    )


async def read_session(connection: AsyncConnection, session_id: UUID) -> SessionFacts | None:
    """Return a live session."""
    row = (await connection.execute(select(_session).where(_session.c.id == session_id, _LIVE))).one_or_none()
    return None if row is None else session_facts(row)


async def note_use(connection: AsyncConnection, session_id: UUID) -> None:
    """Keep that a session was used."""
    await connection.execute(update(_session).where(_session.c.id == session_id, _LIVE).values(last_seen_at=now()))


async def step_up(connection: AsyncConnection, session_id: UUID) -> SessionFacts | None:
    """Keep that the second factor has just been seen; None when the session has ended."""
    query = update(_session).where(_session.c.id == session_id, _LIVE).values(stepped_up_at=now())
    row = (await connection.execute(query.returning(_session))).one_or_none()
    return None if row is None else session_facts(row)


async def is_stepped_up(connection: AsyncConnection, session_id: UUID) -> bool:
    """Say whether a session's second factor was seen within five minutes, by the database's clock."""
    return (await connection.execute(_IS_FRESH, {"of_session": session_id})).one_or_none() is not None


async def end_session(connection: AsyncConnection, session_id: UUID) -> bool:
    """End a session."""
    return bool((await connection.execute(delete(_session).where(_session.c.id == session_id))).rowcount)


async def forget_ended(connection: AsyncConnection) -> int:
    """Forget sessions that have ended; return how many."""
    ended = (_session.c.expires_at <= now()) | (_session.c.last_seen_at <= now_plus(-IDLE_S))
    return int((await connection.execute(delete(_session).where(ended))).rowcount)


def session_facts(row: Any) -> SessionFacts:
    """Return the facts of a row of the session table."""
    return SessionFacts(
        id=row.id,
        operator_id=row.operator_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        stepped_up_at=row.stepped_up_at,
    )
