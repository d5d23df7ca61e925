"""A page of an account's verifications."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import Environment, VerificationStatus
from store.checks import ADVICE, WithAdvice, with_advice
from store.tables import Verification, table_of
from store.times import UtcDateTime, fixed, now
from store.verifications import FACTS

_verification = table_of(Verification)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which verifications are asked for; `before` is the last one of the page before."""

    account_id: UUID
    environment: Environment
    status: VerificationStatus | None = None
    country: str | None = None
    created_after: datetime | None = None
    before: tuple[datetime, UUID] | None = None


async def list_with_advice(connection: AsyncConnection, filters: Filters, *, limit: int) -> list[WithAdvice]:
    """Return verifications that meet the filters, newest first."""
    query = (
        select(*FACTS, *ADVICE)
        .where(*_conditions(filters))
        .order_by(_verification.c.created_at.desc(), _verification.c.id.desc())
        .limit(limit)
    )
    return [with_advice(row) for row in await connection.execute(query)]


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [
        _verification.c.account_id == filters.account_id,
        _verification.c.environment == filters.environment.value,
    ]
    if filters.status is not None:
        conditions.append(_has_status(filters.status))
    if filters.country is not None:
        conditions.append(_verification.c.country == filters.country)
    if filters.created_after is not None:
        conditions.append(_verification.c.created_at > filters.created_after)
    if filters.before is not None:
        created_at, verification_id = filters.before
        conditions.append(
            tuple_(_verification.c.created_at, _verification.c.id)
            < tuple_(created_at, verification_id, types=[UtcDateTime(), _verification.c.id.type])
        )
    return conditions


def _has_status(status: VerificationStatus) -> ColumnElement[bool]:
    """Return the condition for a status as callers are told it: past its time, pending is expired."""
    is_pending = _verification.c.status == fixed(VerificationStatus.PENDING)
    if status is VerificationStatus.PENDING:
        return and_(is_pending, _verification.c.expires_at > now())
    is_this = _verification.c.status == status.value
    if status is VerificationStatus.EXPIRED:
        return or_(is_this, and_(is_pending, _verification.c.expires_at <= now()))
    return is_this
