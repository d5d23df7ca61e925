"""Accounts: made, listed, and changed by whom the instance belongs to; read by themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.accounts import AccountChanges, AccountFacts
from domain.audit import AuditEntry, JsonScalar
from domain.blocks import BLOCKED
from domain.errors import AccountClosedError, InvalidRequestError, NotFoundError
from domain.event_types import EventType
from domain.events import of_account
from domain.facts import Caller
from domain.ids import account_id as public_id
from domain.ids import new_id, parse
from domain.statuses import MAY_SEND, AccountStatus
from store import access_version
from store.accounts import (
    accounts_named,
    change_account,
    insert_account,
    list_accounts,
    read_account,
)
from store.audit import record
from store.blocks import block_account, unblock_account
from store.engine import Database
from store.events import emit

MAX_PAGE, DEFAULT_PAGE = 100, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What an account is made of; limits that are None are none of its own."""

    name: str
    plan: str = "standard"
    requests_per_s: int | None = None
    sends_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts, newest first, and the last one of them where there are more."""

    items: tuple[AccountFacts, ...]
    next_cursor: UUID | None


class Accounts:
    """Makes, shows and changes accounts. What changes one takes effect within a second on every process.

    `changed` is called after each change, so that here it does at once; `actor` is who the trail says it was.
    """

    def __init__(self, *, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changed = changed

    async def create(self, new: NewAccount, *, actor: str) -> AccountFacts:
        """Make an account, which is active and has no keys."""
        async with self._database.transaction() as connection:
            made = await insert_account(
                connection,
                new_id(),
                name=new.name,
                plan=new.plan,
                requests_per_s=new.requests_per_s,
                sends_per_day=new.sends_per_day,
            )
            limits = {"requests_per_s": new.requests_per_s, "sends_per_day": new.sends_per_day}
            await record(connection, account_entry("account.created", made, actor, {"plan": new.plan, **limits}))
        return made

    async def read(self, caller: Caller, account_id: UUID) -> AccountFacts:
        """Return an account: the caller's own, or any where the caller administers them.

        Raises:
            NotFoundError: there is none, or it is another's.

        """
        if account_id != caller.account_id and not caller.administers_accounts:
            raise _not_found()
        async with self._database.reading() as connection:
            return await _existing(connection, account_id)

    async def list(self, caller: Caller, *, limit: int = DEFAULT_PAGE, cursor: UUID | None = None) -> AccountPage:
        """Return a page of accounts: the caller's own, or all of them where the caller administers them."""
        if not caller.administers_accounts:
            return AccountPage((await self.read(caller, caller.account_id),), None)
        return await self.list_all(limit=limit, cursor=cursor)

    async def list_all(self, *, limit: int, cursor: UUID | None = None) -> AccountPage:
        """Return a page of all accounts of the instance."""
        async with self._database.reading() as connection:
            found = await list_accounts(connection, limit=limit + 1, before=cursor)
        return AccountPage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    async def change(self, account_id: UUID, changes: AccountChanges, *, actor: str) -> AccountFacts:
        """Change an account.

        Raises:
            NotFoundError: there is none.
            AccountClosedError: it is closed, which is for good.

        """
        async with self._database.transaction() as connection:
            after = await change_account(connection, account_id, changes)
            if after is None:
                await _existing(connection, account_id)
                raise AccountClosedError("The account is closed, and stays so; make a new one.")
            await access_version.bump(connection)
            if "status" in changes:
                data = {"status": changes["status"].value, "reason": changes.get("status_reason")}
                told = of_account(EventType.ACCOUNT_STATUS_CHANGED, account_id=account_id, data=data)
                await emit(connection, *told)
                await _block_or_lift(connection, after)
            await record(connection, account_entry(_action(changes), after, actor, _told(changes)))
        self._changed()
        return after

    async def set_status(
        self, account_id: UUID, status: AccountStatus, *, reason: str | None, actor: str
    ) -> AccountFacts:
        """Change how an account stands, for a reason that it is told.

        Raises:
            NotFoundError: there is none.
            AccountClosedError: it is closed, which is for good.

        """
        return await self.change(account_id, AccountChanges(status=status, status_reason=reason), actor=actor)

    async def find(self, text: str) -> AccountFacts:
        """Return the account that a person means, by its public id or by a name that only one has.

        Raises:
            NotFoundError: there is none.
            InvalidRequestError: several have this name.

        """
        account_id = parse(text, prefix="acc")
        async with self._database.reading() as connection:
            if account_id is not None:
                return await _existing(connection, account_id)
            found = await accounts_named(connection, text)
        if len(found) > 1:
            raise InvalidRequestError("Several accounts have this name; say which by its id, acc_….")
        if not found:
            raise _not_found()
        return found[0]


async def _block_or_lift(connection: AsyncConnection, after: AccountFacts) -> None:
    if after.status in BLOCKED:
        await block_account(connection, after.id, reason=after.status_reason or after.status.value)
    elif after.status in MAY_SEND:
        await unblock_account(connection, after.id)


def _action(changes: AccountChanges) -> str:
    if "status" not in changes:
        return "account.changed"
    return "account.reinstated" if changes["status"] in MAY_SEND else "account.suspended"


def _told(changes: AccountChanges) -> dict[str, JsonScalar]:
    """Return what the trail says of a change: not a name or a reason, which are free words and may name a person."""
    free = {"name": "name_changed", "status_reason": "reason_changed"}
    return {free.get(field, field): True if field in free else value for field, value in changes.items()}  # type: ignore[misc]


def account_entry(action: str, facts: AccountFacts, actor: str, details: Mapping[str, JsonScalar]) -> AuditEntry:
    """Return the entry of something that happened to an account."""
    return AuditEntry(
        account_id=facts.id,
        environment=None,
        actor=actor,
        action=action,
        subject=public_id(facts.id),
        details=details,
    )


async def _existing(connection: AsyncConnection, account_id: UUID) -> AccountFacts:
    found = await read_account(connection, account_id)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFoundError:
    return NotFoundError("There is no such account.")
