"""What every change of a number has in common: who may make it, and the event and the audit entry that tell of it."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope
from domain.audit import AuditEntry, JsonScalar
from domain.errors import NotFoundError
from domain.facts import Caller
from domain.ids import number_id as public_id
from domain.number_errors import NumberChangedError, NumberStateError
from domain.routing import LeaseFacts, NumberFacts, NumberView
from rules.access import insufficient_scope
from store.audit import record
from store.number_news import By
from store.number_views import find_with_lease


def by_caller(caller: Caller) -> By:
    """Return a caller, as who changed something of its own."""
    return By(account_id=caller.account_id, actor=caller.actor)


def view_for(caller: Caller, number: NumberFacts, lease: LeaseFacts | None) -> NumberView | None:
    """Return a number as a caller may see it, or None where it is another account's.

    Numbers of pools are everybody's to see, and whose lease one is under is not.
    """
    own = lease if lease is not None and lease.account_id == caller.account_id else None
    if own is None and number.account_id not in {None, caller.account_id}:
        return None
    return NumberView(number=number, lease=own, is_own=own is not None or number.account_id == caller.account_id)


async def number_in_sight(connection: AsyncConnection, caller: Caller, number_id: UUID) -> NumberView:
    """Return a number that a caller may see.

    Raises:
        NotFoundError: there is none with this id in this environment, or it is another account's.

    """
    found = await find_with_lease(connection, number_id, environment=caller.environment)
    view = None if found is None else view_for(caller, *found)
    if view is None:
        raise NotFoundError("This account has no number with this id.")
    return view


async def own_number(connection: AsyncConnection, caller: Caller, number_id: UUID) -> NumberView:
    """Return a number that a caller may change: its own; of the instance's, who administers accounts may change all.

    Raises:
        NotFoundError: as above.
        InsufficientScopeError: it is a pool's, and not leased to this account.

    """
    view = await number_in_sight(connection, caller, number_id)
    if not view.is_own and not caller.administers_accounts:
        raise insufficient_scope(frozenset({Scope.ACCOUNTS}))
    return view


def moved(number: NumberFacts | None) -> NumberFacts:
    """Return the number that a statement changed.

    Raises:
        NumberChangedError: it changed nothing, because somebody else had.

    """
    if number is None:
        raise NumberChangedError("The number was changed by somebody else at the same moment; read it and try again.")
    return number


def wrong_state(number: NumberFacts, told: str) -> NumberStateError:
    """Return the refusal of what does not fit a number's state."""
    return NumberStateError(f"The number is {number.state}. {told}", fields={"number_status": number.state.value})


async def record_change(
    connection: AsyncConnection, caller: Caller, number: NumberFacts, details: Mapping[str, JsonScalar]
) -> None:
    """Write into the audit trail that a number's terms are others."""
    entry = AuditEntry(
        account_id=caller.account_id,
        environment=caller.environment,
        actor=caller.actor,
        action="number.changed",
        subject=public_id(number.id),
        details=details,
    )
    await record(connection, entry)
