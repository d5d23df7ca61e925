"""Counting a message that nobody asked for against its number: one that follows because a code did not come back.

The message before it may well have arrived, so its person gets one more: the gaps and windows of the number hold for it
as they do for a resend. A fail-over, which follows what did not arrive, is not counted.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import GuardFacts, VerificationFacts
from domain.messages import NextStep, NextStepKind
from rules.protection.sends import advise
from store.guards import read_guard, take_send
from store.verifications import number_of


async def take_own_send(connection: AsyncConnection, verification: VerificationFacts) -> GuardFacts | NextStep:
    """Count the message, or return what to do instead: ask again when the number may have it, or leave it."""
    number = number_of(verification)
    taken = await take_send(connection, number)
    if taken is not None:
        return taken
    guard = await read_guard(connection, number)
    if guard is None or (guard.locked_until is not None and guard.locked_until > guard.read_at):
        return NextStep(kind=NextStepKind.WAIT, reason="no resend: the number is locked")
    advice = advise(guard.sends.recent_sends, next_send_at=guard.sends.next_send_at, now=guard.read_at)
    again_s = (advice.next_send_at - guard.read_at).total_seconds()
    if again_s <= 0:
        return NextStep(kind=NextStepKind.WAIT, reason="no resend: the account sends nothing")
    return NextStep(kind=NextStepKind.WAIT, reason="no resend yet: the number had one lately", again_s=again_s)
