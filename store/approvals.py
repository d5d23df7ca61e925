"""Approvals: asked for once per caller and request, decided once, used once. Each is one conditional statement."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.operators import ApprovalFacts, ApprovalStatus
from domain.statuses import Environment
from rules.approvals import APPROVED_S, PENDING_S
from store.makers import is_made_by
from store.operator_tables import Approval
from store.tables import ApiKey, table_of
from store.times import fixed, now, now_plus

_approval = table_of(Approval)
_key = table_of(ApiKey)
_IS_PENDING = _approval.c.status == fixed(ApprovalStatus.PENDING)
_IS_OVER = _approval.c.expires_at <= now()
_KEPT_S = 30 * 86_400
# As it is told: what nobody decided or used in time is over.
_STATUS_NOW = case(
    (
        and_(_approval.c.status.in_([fixed(ApprovalStatus.PENDING), fixed(ApprovalStatus.APPROVED)]), _IS_OVER),
        fixed(ApprovalStatus.EXPIRED),
    ),
    else_=_approval.c.status,
)
_SELECT = select(_approval, _STATUS_NOW.label("status_now"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApproval:
    """What a caller asks an approval for."""

    id: UUID
    account_id: UUID
    environment: Environment
    actor: str
    key_id: str
    operation: str
    path: str
    body_hash: str
    body_sealed: str | None = field(repr=False)


async def ask(connection: AsyncConnection, new: NewApproval) -> ApprovalFacts:
    """Return the caller's pending approval for this request: a new one, which has the id given, or the one there is.

    One that nobody decided in time gives its place to the new one.
    """
    values = {name: getattr(new, name) for name in NewApproval.__slots__} | {"environment": new.environment.value}
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement: Any = insert_(_approval).values(
        **values, status=ApprovalStatus.PENDING.value, created_at=now(), expires_at=now_plus(PENDING_S)
    )
    renewed = ("id", "body_sealed", "created_at", "expires_at")
    statement = statement.on_conflict_do_update(
        index_elements=["actor", "operation", "path", "body_hash"],
        index_where=_IS_PENDING,
        set_={name: case((_IS_OVER, statement.excluded[name]), else_=_approval.c[name]) for name in renewed},
    ).returning(_approval, _approval.c.status.label("status_now"))
    return approval_facts((await connection.execute(statement)).one())


async def count_pending(connection: AsyncConnection, actor: str) -> int:
    """Return for how many requests a caller waits."""
    query = select(func.count()).select_from(_approval).where(_approval.c.actor == actor, _IS_PENDING, ~_IS_OVER)
    return int((await connection.execute(query)).scalar_one())


async def decide(
    connection: AsyncConnection, approval_id: UUID, *, status: ApprovalStatus, decided_by: str
) -> ApprovalFacts | None:
    """Approve or reject a pending request; None when it is decided already, or the decider made who asks."""
    made_it = is_made_by(_approval.c.actor, decided_by)
    lasts = now_plus(APPROVED_S) if status is ApprovalStatus.APPROVED else _approval.c.expires_at
    query = (
        update(_approval)
        .where(_approval.c.id == approval_id, _IS_PENDING, ~_IS_OVER, ~made_it)
        .values(status=status.value, decided_at=now(), decided_by=decided_by, expires_at=lasts)
        .returning(_approval, _approval.c.status.label("status_now"))
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else approval_facts(row)


async def use(
    connection: AsyncConnection, approval_id: UUID, *, actor: str, operation: str, path: str, body_hash: str
) -> ApprovalFacts | None:
    """Use up an approved request; None when it is not approved, is over, was used, or is for another request."""
    query = (
        update(_approval)
        .where(
            _approval.c.id == approval_id,
            _approval.c.status == fixed(ApprovalStatus.APPROVED),
            ~_IS_OVER,
            _approval.c.actor == actor,
            _approval.c.operation == operation,
            _approval.c.path == path,
            _approval.c.body_hash == body_hash,
        )
        .values(status=ApprovalStatus.USED.value)
        .returning(_approval, _approval.c.status.label("status_now"))
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else approval_facts(row)


async def read_approval(
    connection: AsyncConnection, approval_id: UUID, *, account_id: UUID | None, environment: Environment
) -> ApprovalFacts | None:
    """Return an approval of an account in one environment; of any account, for an operator who named none."""
    query = _of(_SELECT.where(_approval.c.id == approval_id), account_id, environment)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else approval_facts(row)


async def list_approvals(
    connection: AsyncConnection,
    *,
    account_id: UUID | None,
    environment: Environment,
    status: ApprovalStatus | None,
    limit: int,
) -> list[ApprovalFacts]:
    """Return approvals, newest first: of an account in one environment; of all, for an operator who named none."""
    query = _of(_SELECT.order_by(_approval.c.id.desc()).limit(limit), account_id, environment)
    if status is not None:
        query = query.where(_STATUS_NOW.in_([status.value]))
    return [approval_facts(row) for row in await connection.execute(query)]


def _of(query: Select[Any], account_id: UUID | None, environment: Environment) -> Select[Any]:
    if account_id is None:
        return query
    return query.where(_approval.c.account_id == account_id, _approval.c.environment == environment.value)


async def forget_old(connection: AsyncConnection) -> int:
    """Forget approvals of a month ago, and what was in the requests of those that are over; return how many."""
    over = _STATUS_NOW.in_([ApprovalStatus.REJECTED.value, ApprovalStatus.USED.value, ApprovalStatus.EXPIRED.value])
    emptied = update(_approval).where(_approval.c.body_sealed.is_not(None), over).values(body_sealed=None)
    gone = delete(_approval).where(_approval.c.created_at < now_plus(-_KEPT_S))
    return sum([int((await connection.execute(query)).rowcount) for query in (emptied, gone)])


def approval_facts(row: Any) -> ApprovalFacts:
    """Return the facts of a row of the approval table."""
    return ApprovalFacts(
        id=row.id,
        actor=row.actor,
        account_id=row.account_id,
        environment=Environment(row.environment),
        operation=row.operation,
        path=row.path,
        body_hash=row.body_hash,
        body_sealed=row.body_sealed,
        status=ApprovalStatus(row.status_now),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )
