"""Upkeep: what a crash left half done is finished, what is overdue is concluded, what is old is forgotten.

The audit trail is kept on the way (`activities/audit_keeping.py`).
"""

import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from temporalio import activity

from activities.audit_keeping import AuditKeeping
from domain.errors import TemporalUnavailableError
from domain.messages import StartVerification, UpkeepReport
from domain.routing import NumberFacts
from domain.statuses import VerificationStatus
from store import approvals, budgets, idempotency, key_sightings, oauth_clients, oauth_tokens, operator_sessions, tries
from store.blocks import LIFTED_AT_ONCE, forget_old_blocks, lift_what_is_over
from store.engine import Database
from store.number_upkeep import overdue_numbers
from store.plans import announced
from store.reading_events import forget_old_events
from store.route_decisions import forget_old_decisions
from store.upkeep import ForgottenAttempt, forgotten_attempts
from store.verifications import conclude, due_verifications
from store.webhook_deliveries import forget_old_deliveries
from store.webhooks import overdue_webhooks

_HOUR_S = 3600
_BUDGET_HOURS_KEPT = 48
_SIGHTING_HOURS_KEPT = 1


class Starter(Protocol):
    """The part of the way to workflows that upkeep needs."""

    async def send_another(self, start: StartVerification, *, account_id: UUID) -> None:
        """Have a verification's workflow send `start.first`, starting it if need be."""
        ...


class Waker(Protocol):
    """The part of the way to webhooks' dispatchers that upkeep needs."""

    async def wake_all(self, webhooks: Sequence[UUID]) -> int:
        """Wake dispatchers that nobody has woken just now; return how many."""
        ...


class Keeper(Protocol):
    """The part of the way to numbers' workflows that upkeep needs."""

    async def wake(self, number: NumberFacts) -> None:
        """Have a number's workflow see what is due, starting it if need be."""
        ...


class UpkeepActivities:
    """Mend what no workflow will mend."""

    def __init__(
        self,
        *,
        database: Database,
        starter: Starter,
        waker: Waker,
        keeper: Keeper,
        audit: AuditKeeping,
        failures_cap: int,
        decisions_kept_days: int,
    ) -> None:
        """Take what mending needs; decisions about routes and numbers are forgotten after so many days."""
        self._decisions_kept_days = decisions_kept_days
        self._database = database
        self._audit = audit
        self._starter = starter
        self._waker = waker
        self._keeper = keeper
        self._failures_cap = failures_cap

    @activity.defn
    async def mend(self) -> UpkeepReport:
        """Start what was never started, conclude what nobody concluded, forget what is old; safe to run twice."""
        report = UpkeepReport(
            restarted=await self._restart(),
            expired=await self._expire(),
            forgotten=await self._forget(),
            woken=await self._wake(),
            tended=await self._tend(),
            lifted=await self._lift(),
        )
        await self._audit.keep()
        return report

    async def _restart(self) -> int:
        async with self._database.reading() as connection:
            forgotten = await forgotten_attempts(connection)
        for each in forgotten:
            try:
                await self._starter.send_another(_start_of(each), account_id=each.verification.account_id)
            except TemporalUnavailableError:
                return 0  # it was here a moment ago; the next run, seconds away, tries again
        return len(forgotten)

    async def _expire(self) -> int:
        async with self._database.reading() as connection:
            due = await due_verifications(connection)
        for each in due:
            async with self._database.transaction() as connection:
                await conclude(
                    connection,
                    each,
                    status=VerificationStatus.EXPIRED,
                    reason="deadline_passed",
                    failures_cap=self._failures_cap,
                    only_when_due=True,
                )
        return len(due)

    async def _wake(self) -> int:
        async with self._database.reading() as connection:
            overdue = await overdue_webhooks(connection)
        try:
            return await self._waker.wake_all(overdue)
        except TemporalUnavailableError:
            return 0  # as above

    async def _tend(self) -> int:
        """Wake the workflows of numbers that nobody tends: a crash left them without one, or its signal got lost."""
        async with self._database.reading() as connection:
            overdue = await overdue_numbers(connection)
        for each in overdue:
            try:
                await self._keeper.wake(each)
            except TemporalUnavailableError:
                return 0  # as above
        return len(overdue)

    async def _lift(self) -> int:
        """Tell accounts of blocks whose time is over; what they blocked is free since then, told or not."""
        total, batch = 0, LIFTED_AT_ONCE
        while batch == LIFTED_AT_ONCE:
            async with self._database.transaction() as connection:
                batch = await lift_what_is_over(connection)
            total += batch
        return total

    async def _forget(self) -> int:
        async with self._database.transaction() as connection:
            hour = int(time.time()) // _HOUR_S
            old_budgets = await budgets.forget_before(connection, hour - _BUDGET_HOURS_KEPT)
            old_requests = await idempotency.forget_old(connection)
            old_sightings = await key_sightings.forget_before(connection, hour - _SIGHTING_HOURS_KEPT)
            old_tokens = await oauth_tokens.forget_old(connection) + await oauth_clients.forget_used(connection)
            old = await forget_old_events(connection) + await forget_old_deliveries(connection)
            old += await operator_sessions.forget_ended(connection) + await tries.forget_old(connection)
            old += await approvals.forget_old(connection) + await forget_old_blocks(connection)
            old += await forget_old_decisions(connection, kept_days=self._decisions_kept_days)
            return old_budgets + old_requests + old_sightings + old_tokens + old


def _start_of(forgotten: ForgottenAttempt) -> StartVerification:
    facts = forgotten.verification
    return StartVerification(
        verification_id=facts.id,
        country=facts.country,
        lifetime_s=max(1, int((facts.expires_at - facts.read_at).total_seconds())),
        first=announced(forgotten.attempt),
        environment=facts.environment,
    )
