"""Quick looks at the database, for drills that wait for something: one statement, no ledger, no codes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select

from bench.chaos.installation import Installation
from domain.ids import parse
from domain.statuses import AttemptStatus, VerificationStatus
from store.tables import Attempt, Verification, table_of

_verification, _attempt = table_of(Verification), table_of(Attempt)
_IS_PENDING = _verification.c.status == VerificationStatus.PENDING.value


async def pending(site: Installation, *, reference: str) -> list[UUID]:
    """Return pending verifications whose reference begins with a text."""
    return await _ids(
        site, select(_verification.c.id).where(_IS_PENDING, _verification.c.reference.startswith(reference))
    )


async def unsent(site: Installation) -> list[UUID]:
    """Return attempts of pending verifications that nobody has finished sending."""
    return await _attempts(site, and_(_IS_PENDING, _attempt.c.status.in_((_word("planned"), _word("submitting")))))


async def in_submission(site: Installation, verifications: Sequence[str]) -> list[UUID]:
    """Return attempts of these verifications that a worker has begun to send."""
    return await _attempts(site, and_(_of(verifications), _attempt.c.status == _word("submitting")))


async def taken(site: Installation, verifications: Sequence[str]) -> list[UUID]:
    """Return attempts of these verifications that took over from another one and were accepted."""
    was_accepted = _attempt.c.status.in_((_word("accepted"), _word("delivered")))
    return await _attempts(site, and_(_of(verifications), _attempt.c.follows.is_not(None), was_accepted))


async def begun_or_ended(site: Installation, verifications: Sequence[str]) -> set[UUID]:
    """Return those of these verifications that were sent, or have ended."""
    somebody_cared = _attempt.c.submitting_at.is_not(None) | ~_IS_PENDING
    joined = select(_verification.c.id).join(_attempt, _attempt.c.verification_id == _verification.c.id)
    return set(await _ids(site, joined.where(_of(verifications), somebody_cared)))


async def _attempts(site: Installation, where: ColumnElement[bool]) -> list[UUID]:
    joined = select(_attempt.c.id).join(_verification, _attempt.c.verification_id == _verification.c.id)
    return await _ids(site, joined.where(where))


async def _ids(site: Installation, query: Any) -> list[UUID]:
    async with site.database.reading() as connection:
        return list((await connection.execute(query)).scalars())


def _of(verifications: Sequence[str]) -> ColumnElement[bool]:
    return _verification.c.id.in_([parse(each, prefix="ver") for each in verifications])


def _word(status: str) -> str:
    return AttemptStatus(status).value
