"""The hourly budget of wrong checks, per account and per instance, against one guess on each of a million numbers.

Exact upwards: of a budget of N at most N wrong guesses at pending verifications are compared, on any number of API
processes; a wrong guess at an approved one can win nothing and is not charged. So that thousands of checks a second do
not queue for one row, a process takes the budget from SQL in blocks of a thousandth and spends them itself; what it
still holds when it dies, or when the hour turns, is lost to that hour.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from domain.audit import SYSTEM, AuditEntry
from domain.errors import CheckBudgetError
from domain.facts import Caller
from domain.statuses import Environment
from rules.protection.checks import WRONG_CHECKS_PER_HOUR_ACCOUNT, WRONG_CHECKS_PER_HOUR_INSTANCE
from services.refusals import HOUR_S, Refusals
from store import budgets
from store.engine import Database

_BLOCKS = 1000


@dataclass(slots=True)
class Spending:
    """One guess that may turn out wrong; it costs only if it does."""

    was_wrong: bool = False


class WrongCheckBudget:
    """Lends out guesses against the budgets of an account and of the instance."""

    def __init__(
        self,
        database: Database,
        *,
        per_account: int = WRONG_CHECKS_PER_HOUR_ACCOUNT,
        per_instance: int = WRONG_CHECKS_PER_HOUR_INSTANCE,
        refusals: Refusals | None = None,
    ) -> None:
        self._refusals = refusals or Refusals(database)
        self._database = database
        self._per_account = per_account
        self._per_instance = per_instance
        self._held: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._refill = asyncio.Lock()

    @asynccontextmanager
    async def one_guess(self, caller: Caller) -> AsyncIterator[Spending]:
        """Set one guess aside for the block; it is spent when the block ends having found it wrong.

        Raises:
            CheckBudgetError: no wrong guess is left this hour.

        """
        hour = int(time.time()) // int(HOUR_S)
        account, instance = (f"wrong-checks/{caller.account_id.hex}", hour), ("wrong-checks/instance", hour)
        try:
            await self._set_aside(account, self._per_account)
        except CheckBudgetError:
            self._note_used_up(caller.account_id, caller.environment)
            raise
        try:
            await self._set_aside(instance, self._per_instance)
        except CheckBudgetError:
            self._held[account] += 1
            self._note_used_up(None, None)
            raise
        spending = Spending()
        try:
            yield spending
        finally:
            if not spending.was_wrong:
                self._held[account] += 1
                self._held[instance] += 1

    def _note_used_up(self, account_id: UUID | None, environment: Environment | None) -> None:
        """Take note of a guess for which the account, or the instance, has nothing left this hour."""
        entry = AuditEntry(
            account_id=account_id, environment=environment, actor=SYSTEM, action="checks.budget_reached", subject=None
        )
        self._refusals.note(entry, window_s=HOUR_S)

    async def _set_aside(self, scope: tuple[str, int], limit: int) -> None:
        if self._held[scope] == 0:
            async with self._refill:
                # Another one may have fetched a block meanwhile; whoever fetched one has the first use of it.
                if self._held[scope] == 0:
                    amount = await self._take_a_block(scope, limit)
                    self._held[scope] += amount
                self._held[scope] -= 1
            return
        self._held[scope] -= 1

    async def _take_a_block(self, scope: tuple[str, int], limit: int) -> int:
        self._forget_other_hours(scope[1])
        for amount in (max(1, limit // _BLOCKS), 1):
            async with self._database.transaction() as connection:
                taken = await budgets.take(connection, scope=scope[0], hour=scope[1], amount=amount, limit=limit)
            if taken:
                return amount
        raise CheckBudgetError(
            "Too many wrong codes were tried this hour; checks of this account go on with the next hour.",
            retry_after_s=HOUR_S - time.time() % HOUR_S,
        )

    def _forget_other_hours(self, hour: int) -> None:
        for scope in [each for each in self._held if each[1] < hour]:
            del self._held[scope]
