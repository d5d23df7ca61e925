"""An account's sender numbers: one, or a page of them, and the terms of their leases."""

from dataclasses import dataclass
from uuid import UUID

from domain.errors import InvalidRequestError
from domain.facts import Caller
from domain.ids import parse
from domain.number_errors import LeaseEndedError
from domain.routing import LeaseFacts, NumberState, NumberView
from services.number_changes import number_in_sight, own_number, record_change
from store.engine import Database
from store.number_leases import change_terms
from store.number_views import NumberFilters, numbers_of_account

MAX_PAGE, DEFAULT_PAGE = 100, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPage:
    """Some numbers, the newest first, and the cursor of the next page if there is one."""

    items: tuple[NumberView, ...]
    next_cursor: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsRequest:
    """What of a lease is to be another from its next period on; None stays."""

    period_days: int | None = None
    is_renewed: bool | None = None


class Numbers:
    """Shows an account its numbers, and changes the terms of their leases."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list(
        self,
        caller: Caller,
        *,
        limit: int = DEFAULT_PAGE,
        country: str | None = None,
        state: NumberState | None = None,
        cursor: str | None = None,
    ) -> NumberPage:
        """Return a page of the numbers that an account has reserved or leased.

        Raises:
            InvalidRequestError: the cursor is none.

        """
        before = None if cursor is None else parse(cursor, prefix="num")
        if cursor is not None and before is None:
            raise InvalidRequestError("cursor: next_cursor of the page before, word for word.")
        filters = NumberFilters(
            account_id=caller.account_id,
            environment=caller.environment,
            country=country,
            state=state,
            before=before,
        )
        async with self._database.reading() as connection:
            found = await numbers_of_account(connection, filters, limit=limit + 1)
        page = tuple(NumberView(number=number, lease=lease, is_own=True) for number, lease in found[:limit])
        return NumberPage(items=page, next_cursor=page[-1].number.id if len(found) > limit else None)

    async def read(self, caller: Caller, number_id: UUID) -> NumberView:
        """Return one number: an account's own, or a pool's.

        Raises:
            NotFoundError: there is none with this id in this environment, or it is another account's.

        """
        async with self._database.reading() as connection:
            return await number_in_sight(connection, caller, number_id)

    async def change(self, caller: Caller, number_id: UUID, request: TermsRequest) -> NumberView:
        """Change the terms of a lease from its next period on.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            LeaseEndedError: it is under no lease, or the lease is over.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            lease = view.lease and await change_terms(
                connection, view.lease, period_days=request.period_days, is_renewed=request.is_renewed
            )
            if lease is None:
                raise LeaseEndedError("The number is under no lease that could be changed; lease it first.")
            await record_change(connection, caller, view.number, _terms(lease))
        return NumberView(number=view.number, lease=lease, is_own=True)


def _terms(lease: LeaseFacts) -> dict[str, int | bool]:
    return {"period_days": lease.period_days, "auto_renew": lease.is_renewed}
