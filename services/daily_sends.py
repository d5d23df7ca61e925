"""How many messages an account may send a day, where it has such a limit: exact, in SQL, in the send's transaction.

A day is one of UTC, in one environment. Fail-overs are not counted: the account asked for one message. An account
without a limit costs no statement.
"""

import time
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import AccountSendLimitError
from domain.facts import Caller
from store import budgets

_DAY_S, _HOURS_OF_A_DAY = 86_400, 24


@dataclass(frozen=True, slots=True)
class DailySend:
    """One message counted against a day: its scope, and the day's first hour, counted since 1970."""

    scope: str
    hour: int


async def take_daily_send(connection: AsyncConnection, caller: Caller) -> DailySend | None:
    """Count one message against the account's day; None when it has no such limit.

    Raises:
        AccountSendLimitError: the day has had as many as it may.

    """
    if caller.sends_per_day is None:
        return None
    day = int(time.time()) // _DAY_S
    send = DailySend(f"sends/{caller.environment}/{caller.account_id.hex}", day * _HOURS_OF_A_DAY)
    if not await budgets.take(connection, scope=send.scope, hour=send.hour, amount=1, limit=caller.sends_per_day):
        raise AccountSendLimitError(
            f"This account may send {caller.sends_per_day} messages a day, and has; the next day begins at 00:00 UTC.",
            retry_after_s=_DAY_S - time.time() % _DAY_S,
            fields={"limit": caller.sends_per_day},
        )
    return send


async def give_back_daily_send(connection: AsyncConnection, send: DailySend | None) -> None:
    """Undo the count for a message that did not leave."""
    if send is not None:
        await budgets.give_back(connection, scope=send.scope, hour=send.hour, amount=1)
