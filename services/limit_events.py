"""Telling an account that a limit was reached: once per limit, subject and hour, after the refusal was decided.

The refusal has rolled its transaction back, so the event has one of its own; a database that is away costs the event
and never the answer.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from domain.errors import (
    AccountSendLimitError,
    CheckBudgetError,
    DatabaseUnavailableError,
    DomainError,
    NumberLimitError,
    NumberLockedError,
)
from domain.event_types import EventType
from domain.events import NewEvent
from domain.facts import Caller
from domain.phone import Phone
from store.engine import Database
from store.events import emit

_LIMITS = (NumberLimitError, NumberLockedError, CheckBudgetError, AccountSendLimitError)
# Those of the account are told once an hour, whichever number was refused.
_OF_ACCOUNT = (CheckBudgetError, AccountSendLimitError)
_HOUR_S = 3_600
_REMEMBERED_AT_MOST = 10_000


class LimitEvents:
    """Writes `limit.reached`; what this process has told this hour costs nothing to be told again."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._told: set[str] = set()

    @asynccontextmanager
    async def telling(self, caller: Caller, *, subject: str, phone: Phone | None = None) -> AsyncIterator[None]:
        """Pass on whatever the block raises, having told of it when it is a limit; `subject` is what it limits."""
        try:
            yield
        except _LIMITS as refusal:
            await self._tell(caller, refusal, subject=subject, phone=phone)
            raise

    async def _tell(self, caller: Caller, refusal: DomainError, *, subject: str, phone: Phone | None) -> None:
        is_number_s = phone is not None and not isinstance(refusal, _OF_ACCOUNT)
        word = f"{caller.environment}/{refusal.code}/{subject if is_number_s else ''}/{int(self._clock()) // _HOUR_S}"
        key = f"{caller.account_id.hex}/{word}"
        if key in self._told:
            return
        event = NewEvent(
            type=EventType.LIMIT_REACHED,
            account_id=caller.account_id,
            environment=caller.environment,
            data={
                "limit": refusal.code,
                "country": None if phone is None else phone.country,
                "to": phone.masked if is_number_s and phone is not None else None,
                "retry_after_s": refusal.retry_after_s,
            },
            once=word,
        )
        with suppress(DatabaseUnavailableError):
            async with self._database.statement() as connection:
                await emit(connection, event)
            if len(self._told) >= _REMEMBERED_AT_MOST:
                self._told.clear()
            self._told.add(key)
