"""Which refusals of a message are recorded: those that a rule brought about, whose id is their code."""

from collections.abc import Iterator
from contextlib import contextmanager

from domain.audit import AuditEntry
from domain.errors import (
    AccountSendLimitError,
    AccountSuspendedError,
    CheckTooSoonError,
    NumberLimitError,
    NumberLockedError,
    TooSoonError,
)
from domain.facts import Caller
from services.refusals import HOUR_S, Refusals
from store.guards import NumberKey

# Others are the caller's mistakes.
_BY_A_RULE = (
    TooSoonError,
    NumberLimitError,
    NumberLockedError,
    CheckTooSoonError,
    AccountSuspendedError,
    AccountSendLimitError,
)


@contextmanager
def noting_refusal(refusals: Refusals, caller: Caller, number: NumberKey) -> Iterator[None]:
    """Take note of a message to a number that is refused in the block, and by which rule."""
    try:
        yield
    except _BY_A_RULE as refusal:
        entry = AuditEntry(
            account_id=caller.account_id,
            environment=caller.environment,
            actor=caller.actor,
            action="send.refused",
            subject=number.subject,
            details={"rule": refusal.code},
        )
        refusals.note(entry, window_s=HOUR_S)
        raise
