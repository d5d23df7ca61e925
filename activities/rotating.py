"""Rotating by rule: a number that is set aside for its health or capacity is replaced, where its account wants that.

Never away from a filter: what recipients, or carriers for the sender's sake, turned against is not replaced.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, JsonScalar
from domain.errors import TemporalUnavailableError
from domain.ids import number_id as public_id
from domain.routing import EndReason, LeaseFacts, NumberFacts, NumberState
from domain.statuses import MAY_SEND
from rules.routing.health import MAY_BE_ROTATED
from rules.routing.lease_life import DRAIN_S
from rules.routing.number_life import is_harvesting
from rules.routing.verdicts import Decided
from store.accounts import hold_account
from store.clock import read_clock
from store.engine import Database
from store.number_leases import count_released, end_lease
from store.number_news import By
from store.number_replacing import take_replacement, tell_replaced
from store.number_rotation import numbers_to_rotate
from store.numbers import move_seen
from store.route_decisions import keep_decision


class Keeper(Protocol):
    """The part of the way to numbers' workflows that rotating needs."""

    async def wake(self, number: NumberFacts) -> None:
        """Have a number's workflow see what is due, starting it if need be."""
        ...


class Rotating:
    """Replaces numbers. `quota` is how many an account may have: who changes too many gets no more."""

    def __init__(self, *, database: Database, keeper: Keeper, quota: int) -> None:
        self._database = database
        self._keeper = keeper
        self._quota = quota

    async def rotate(self) -> list[Decided]:
        """Replace what is to be replaced; return what was decided."""
        async with self._database.reading() as connection:
            found = await numbers_to_rotate(connection, reasons=sorted(MAY_BE_ROTATED))
        made = []
        for number, lease in found:
            changed = await self._replace(number, lease)
            made += [Decided.NUMBER_ROTATED] if changed else []
            for each in changed:
                # Where Temporal is away, upkeep finds them.
                with suppress(TemporalUnavailableError):
                    await self._keeper.wake(each)
        return made

    async def _replace(self, number: NumberFacts, lease: LeaseFacts) -> tuple[NumberFacts, ...]:
        """Replace a number; return it and its successor, or nothing where that may not be, or cannot be yet.

        Then it stays set aside, and comes back on trial.
        """
        with suppress(_NothingToSpareError):
            async with self._database.transaction() as connection:
                return await self._replaced(connection, number, lease)
        return ()

    async def _replaced(
        self, connection: AsyncConnection, number: NumberFacts, lease: LeaseFacts
    ) -> tuple[NumberFacts, ...]:
        if not await self._may_change(connection, lease):
            return ()
        old = await move_seen(connection, number, NumberState.DRAINING, reason=EndReason.ROTATED, lasts_s=DRAIN_S)
        if old is None:
            return ()
        left_s = int((lease.expires_at - await read_clock(connection)).total_seconds())
        taken = await take_replacement(
            connection, number, lease, left_s=max(left_s, 1), most_micros=number.monthly_micros
        )
        if taken is None:
            raise _NothingToSpareError
        await end_lease(connection, lease.id, reason=EndReason.ROTATED)
        await _tell(connection, number, old, *taken)
        return old, taken[0]

    async def _may_change(self, connection: AsyncConnection, lease: LeaseFacts) -> bool:
        account = await hold_account(connection, lease.account_id)
        if account is None or account.status not in MAY_SEND:
            return False
        released = await count_released(connection, lease.account_id, environment=lease.environment)
        return not is_harvesting(released=released, quota=self._quota)


class _NothingToSpareError(Exception):
    """The pool has no number to take the place; what was begun is undone."""


async def _tell(
    connection: AsyncConnection, before: NumberFacts, old: NumberFacts, new: NumberFacts, lease: LeaseFacts
) -> None:
    evidence: Mapping[str, JsonScalar] = {"reason": before.state_reason, "replaced_by": public_id(new.id)}
    await keep_decision(
        connection,
        before.country,
        environment=before.environment,
        decided=Decided.NUMBER_ROTATED,
        subject=public_id(before.id),
        evidence=evidence,
        account_id=lease.account_id,
    )
    by = By(account_id=lease.account_id, actor=SYSTEM)
    await tell_replaced(connection, before=before, old=old, new=new, lease=lease, by=by)
