"""Reading verifications: one, or a page of them, as their account may see them."""

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import InvalidRequestError, NotFoundError
from domain.facts import AttemptFacts, Caller, VerificationView
from domain.statuses import AttemptStatus, VerificationStatus
from services.presenting import Presenter
from store.attempts import attempts_of, attempts_of_all
from store.checks import read_with_advice
from store.engine import Database
from store.listing import Filters, list_with_advice
from store.queueing import expected_in_s

MAX_PAGE, DEFAULT_PAGE = 100, 20
_LOOK_AGAIN_S = 0.05
_NOT_SUBMITTED = frozenset({AttemptStatus.PLANNED, AttemptStatus.SUBMITTING})


@dataclass(frozen=True, slots=True)
class Page:
    """Some verifications, newest first, and the cursor of the next page if there is one."""

    items: tuple[VerificationView, ...]
    next_cursor: str | None


class Reading:
    """Answers what an account asks about its verifications."""

    def __init__(self, *, database: Database, presenter: Presenter) -> None:
        self._database = database
        self._presenter = presenter

    async def read(self, caller: Caller, verification_id: UUID) -> VerificationView:
        """Return one verification.

        Raises:
            NotFoundError: the account has none with this id in this environment.

        """
        async with self._database.reading() as connection:
            found = await read_with_advice(
                connection, verification_id, account_id=caller.account_id, environment=caller.environment
            )
            if found is None:
                raise NotFoundError("This account has no verification with this id.")
            attempts = await attempts_of(connection, verification_id)
            if found.facts.status_now is VerificationStatus.PENDING:
                attempts = [await _with_turn(connection, each, read_at=found.facts.read_at) for each in attempts]
        return await self._presenter.show(found.facts, found.guard, attempts)

    async def read_submitted(self, caller: Caller, verification_id: UUID, *, within_s: float) -> VerificationView:
        """Return one verification once a message of it has been answered for, or when the seconds are over."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            view = await self.read(caller, verification_id)
            answered = any(each.status not in _NOT_SUBMITTED for each in view.attempts)
            if answered or asyncio.get_running_loop().time() >= deadline:
                return view
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def list(
        self,
        caller: Caller,
        *,
        status: VerificationStatus | None = None,
        country: str | None = None,
        created_after: datetime | None = None,
        limit: int = DEFAULT_PAGE,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of verifications, newest first.

        Raises:
            InvalidRequestError: the cursor is not one of ours.

        """
        filters = Filters(
            account_id=caller.account_id,
            environment=caller.environment,
            status=status,
            country=country,
            created_after=created_after,
            before=None if cursor is None else _read_cursor(cursor),
        )
        async with self._database.reading() as connection:
            found = await list_with_advice(connection, filters, limit=limit + 1)
            page = found[:limit]
            attempts = await attempts_of_all(connection, [each.facts.id for each in page])
        items = [await self._presenter.show(each.facts, each.guard, attempts[each.facts.id]) for each in page]
        last = page[-1].facts if len(found) > limit else None
        return Page(tuple(items), None if last is None else _write_cursor(last.created_at, last.id))


async def _with_turn(connection: AsyncConnection, attempt: AttemptFacts, *, read_at: datetime) -> AttemptFacts:
    """Return an attempt with the moment when it would leave as it looks now, if it waits for its turn."""
    if attempt.status is not AttemptStatus.PLANNED or attempt.waits_until is None:
        return attempt
    wait_s = await expected_in_s(connection, attempt.id)
    return attempt if wait_s is None else replace(attempt, waits_until=read_at + timedelta(seconds=wait_s))


def _write_cursor(created_at: datetime, verification_id: UUID) -> str:
    text = json.dumps([created_at.isoformat(), verification_id.hex])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        created_at, verification_id = json.loads(text)
        return datetime.fromisoformat(created_at).astimezone(UTC), UUID(hex=verification_id)
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidRequestError("The cursor is not one that this list gave; leave it out to begin anew.") from None
