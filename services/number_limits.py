"""What a number's limits say to a caller: how many guesses a new verification gets, and why a send was refused."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.accounts import AccountFacts
from domain.errors import (
    AccountSuspendedError,
    CheckTooSoonError,
    DomainError,
    NumberLimitError,
    NumberLockedError,
    TooSoonError,
)
from domain.facts import DayFacts, GuardFacts
from domain.moments import moment
from domain.statuses import MAY_SEND
from rules.protection.checks import DAY_S, CheckLimits, allowance
from rules.protection.sends import advise
from store.accounts import read_account
from store.guards import NumberKey, read_guard


async def why_no_send(connection: AsyncConnection, number: NumberKey) -> DomainError | None:
    """Return the refusal that explains why a number may not get a message now; None when nothing speaks against it."""
    account = await read_account(connection, number["of_account"])
    if account is not None and account.status not in MAY_SEND:
        return suspended(account)
    guard = await read_guard(connection, number)
    if guard is None:
        return None
    if guard.locked_until is not None and guard.locked_until > guard.read_at:
        return NumberLockedError(
            "Too many wrong codes in a row were tried for this number; it is locked until `locked_until`.",
            retry_after_s=(guard.locked_until - guard.read_at).total_seconds(),
            fields={"locked_until": moment(guard.locked_until)},
        )
    advice = advise(guard.sends.recent_sends, next_send_at=guard.sends.next_send_at, now=guard.read_at)
    if advice.next_send_at <= guard.read_at:
        return None
    refusal = TooSoonError if advice.sends_left else NumberLimitError
    return refusal(
        "Another message to this number may be sent from `next_send_at` on.",
        retry_after_s=(advice.next_send_at - guard.read_at).total_seconds(),
        fields={"next_send_at": moment(advice.next_send_at), "sends_left": advice.sends_left},
    )


def allowed_checks(limits: CheckLimits, *, guard: GuardFacts, day: DayFacts, ttl_s: int) -> int:
    """Return how many guesses a new verification of a number gets.

    Raises:
        NumberLockedError: none, because the number has had its guesses for the day.
        CheckTooSoonError: none in time, because the delay after many failures outlasts the verification.

    """
    allowed = allowance(
        limits,
        failures_in_a_row=guard.failures,
        checks_today=day.checks,
        checks_today_in_all=day.checks_in_all,
    )
    if allowed <= 0:
        oldest_s = 0.0 if day.oldest_at is None else (guard.read_at - day.oldest_at).total_seconds()
        raise NumberLockedError(
            "This number has had as many guesses as one number gets in a day.", retry_after_s=max(60, DAY_S - oldest_s)
        )
    if guard.next_check_at is not None and (guard.next_check_at - guard.read_at).total_seconds() >= ttl_s:
        raise CheckTooSoonError(
            "After many wrong codes the next guess for this number is allowed only after this code would have ended.",
            retry_after_s=(guard.next_check_at - guard.read_at).total_seconds() - ttl_s,
            fields={"next_check_at": moment(guard.next_check_at)},
        )
    return allowed


def suspended(account: AccountFacts) -> AccountSuspendedError:
    """Return the refusal of what an account that is not active asks for."""
    why = f": {account.status_reason}" if account.status_reason else ""
    return AccountSuspendedError(
        f"This account is {account.status} and sends nothing{why}. Codes already sent can be checked.",
        fields={"account_status": account.status.value, "reason": account.status_reason},
    )
