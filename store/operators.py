"""Operators: invited, enrolled, changed. Each change is one conditional statement."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Role
from domain.operators import OperatorChanges, OperatorFacts, OperatorStatus
from store.operator_tables import Operator, OperatorInvitation, OperatorSession, RecoveryCode
from store.tables import table_of
from store.times import fixed, now, now_plus

_operator = table_of(Operator)
_invitation = table_of(OperatorInvitation)
_session = table_of(OperatorSession)
_recovery = table_of(RecoveryCode)
_SELECT: Select[Any] = select(_operator, now().label("read_at"))
_IS_INVITED = _operator.c.status == fixed(OperatorStatus.INVITED)
_INVITES = and_(
    _invitation.c.operator_id == _operator.c.id,
    _invitation.c.token_hash == bindparam("of_token"),
    _invitation.c.expires_at > now(),
)
_ACTIVE_OWNERS = (
    select(_operator.c.id)
    .where(_operator.c.role == fixed(Role.OWNER), _operator.c.status == fixed(OperatorStatus.ACTIVE))
    .order_by(_operator.c.id)
    .with_for_update()
)


async def insert_operator(
    connection: AsyncConnection, operator_id: UUID, *, email_sealed: str, email_hash: str, name: str, role: Role
) -> bool:
    """Insert an operator who is invited; False when there is one of this address."""
    values = {"email_sealed": email_sealed, "email_hash": email_hash, "name": name, "role": role.value}
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    query = insert_(_operator).values(id=operator_id, status=OperatorStatus.INVITED.value, created_at=now(), **values)
    query = query.on_conflict_do_nothing(index_elements=["email_hash"])
    return bool((await connection.execute(query)).rowcount)


async def read_operator(connection: AsyncConnection, operator_id: UUID) -> OperatorFacts | None:
    """Return an operator."""
    row = (await connection.execute(_SELECT.where(_operator.c.id == operator_id))).one_or_none()
    return None if row is None else operator_facts(row)


async def operator_of_email(connection: AsyncConnection, email_hash: str) -> OperatorFacts | None:
    """Return the operator of an address."""
    row = (await connection.execute(_SELECT.where(_operator.c.email_hash == email_hash))).one_or_none()
    return None if row is None else operator_facts(row)


async def list_operators(connection: AsyncConnection) -> list[OperatorFacts]:
    """Return every operator, oldest first."""
    return [operator_facts(row) for row in await connection.execute(_SELECT.order_by(_operator.c.id))]


async def operator_invited_by(connection: AsyncConnection, token_hash: str) -> OperatorFacts | None:
    """Return the operator whom a live invitation is for."""
    query = _SELECT.join(_invitation, _INVITES).where(_IS_INVITED)
    row = (await connection.execute(query, {"of_token": token_hash})).one_or_none()
    return None if row is None else operator_facts(row)


async def invite(connection: AsyncConnection, operator_id: UUID, token_hash: str, *, lasts_s: int) -> datetime:
    """Give an operator an invitation in place of any other; return until when it holds."""
    await connection.execute(delete(_invitation).where(_invitation.c.operator_id == operator_id))
    query = insert(_invitation).values(operator_id=operator_id, token_hash=token_hash, expires_at=now_plus(lasts_s))
    until: datetime = (await connection.execute(query.returning(_invitation.c.expires_at))).scalar_one()
    return until


async def begin_enrolment(
    connection: AsyncConnection, operator_id: UUID, token_hash: str, *, password_hash: str, totp_sealed: str
) -> bool:
    """Keep the password and the secret that an invited operator is to enrol; False when the invitation has ended."""
    query = update(_operator).where(
        _operator.c.id == operator_id, _IS_INVITED, exists(select(_invitation.c.operator_id).where(_INVITES))
    )
    values = {"password_hash": password_hash, "totp_sealed": totp_sealed, "totp_step": None}
    return bool((await connection.execute(query.values(**values), {"of_token": token_hash})).rowcount)


async def finish_enrolment(
    connection: AsyncConnection, operator_id: UUID, token_hash: str, *, totp_sealed: str, recovery_hashes: list[str]
) -> bool:
    """Make an invited operator active, with recovery codes; False when the invitation or the secret is another."""
    query = update(_operator).where(
        _operator.c.id == operator_id,
        _IS_INVITED,
        _operator.c.totp_sealed == totp_sealed,
        exists(select(_invitation.c.operator_id).where(_INVITES)),
    )
    values = {"status": OperatorStatus.ACTIVE.value, "enrolled_at": now()}
    if not (await connection.execute(query.values(**values), {"of_token": token_hash})).rowcount:
        return False
    await connection.execute(delete(_invitation).where(_invitation.c.operator_id == operator_id))
    await connection.execute(delete(_recovery).where(_recovery.c.operator_id == operator_id))
    rows = [{"operator_id": operator_id, "code_hash": each} for each in recovery_hashes]
    await connection.execute(insert(_recovery), rows)
    return True


async def take_step(connection: AsyncConnection, operator_id: UUID, step: int) -> bool:
    """Use up a code of TOTP: False when it, or a newer one, was used before."""
    is_newer = _operator.c.totp_step.is_(None) | (_operator.c.totp_step < step)
    query = update(_operator).where(_operator.c.id == operator_id, is_newer).values(totp_step=step)
    return bool((await connection.execute(query)).rowcount)


async def take_recovery_code(connection: AsyncConnection, operator_id: UUID, code_hash: str) -> bool:
    """Use up a recovery code: False when it is none of this operator's, or was used before."""
    query = delete(_recovery).where(_recovery.c.operator_id == operator_id, _recovery.c.code_hash == code_hash)
    return bool((await connection.execute(query)).rowcount)


async def lock_active_owners(connection: AsyncConnection) -> frozenset[UUID]:
    """Return the active owners, none of whom anybody else can change until this transaction ends."""
    return frozenset((await connection.execute(_ACTIVE_OWNERS)).scalars())


async def change_operator(connection: AsyncConnection, operator_id: UUID, changes: OperatorChanges) -> bool:
    """Change an operator; False when there is none, or one who never enrolled is to be active."""
    values: dict[str, Any] = dict(changes)
    if "allowlist" in changes:
        values["allowlist"] = " ".join(changes["allowlist"]) or None
    query = update(_operator).where(_operator.c.id == operator_id)
    if changes.get("status") is OperatorStatus.ACTIVE:
        query = query.where(_operator.c.totp_sealed.is_not(None), _operator.c.enrolled_at.is_not(None))
    return bool((await connection.execute(query.values(**values))).rowcount)


async def forget_factors(connection: AsyncConnection, operator_id: UUID) -> None:
    """Make an operator invited again: no password, no second factor, no session."""
    values = {"status": OperatorStatus.INVITED.value, "password_hash": None, "totp_sealed": None, "enrolled_at": None}
    await connection.execute(update(_operator).where(_operator.c.id == operator_id).values(**values))
    await connection.execute(delete(_recovery).where(_recovery.c.operator_id == operator_id))
    await end_sessions(connection, operator_id)


async def end_sessions(connection: AsyncConnection, operator_id: UUID) -> None:
    """End what an operator is signed in with, and an invitation too."""
    await connection.execute(delete(_session).where(_session.c.operator_id == operator_id))
    await connection.execute(delete(_invitation).where(_invitation.c.operator_id == operator_id))


def operator_facts(row: Any) -> OperatorFacts:
    """Return the facts of a row of the operator table."""
    return OperatorFacts(
        id=row.id,
        email_sealed=row.email_sealed,
        name=row.name,
        role=Role(row.role),
        status=OperatorStatus(row.status),
        allowlist=tuple((row.allowlist or "").split()),
        created_at=row.created_at,
        enrolled_at=row.enrolled_at,
        read_at=row.read_at,
        password_hash=row.password_hash,
        totp_sealed=row.totp_sealed,
        totp_step=row.totp_step,
    )
