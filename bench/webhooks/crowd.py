"""Webhooks of thousands of endpoints: what they cost while nothing happens, and how late each is told when much does.

An account has at most ten endpoints, so there are many accounts. Waits are from an event's commit until its delivery is
written down, which is a little after the receiver had it.
"""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import func, select

from bench.chaos.installation import Installation
from bench.load.cpu import Cpu, read_cpu
from bench.webhooks.endpoints import OF_ONE, Endpoints
from domain.ids import new_id
from domain.webhooks import DeliveryStatus
from store.accounts import insert_account
from store.event_tables import EventRow
from store.tables import table_of
from store.webhook_tables import WebhookDelivery

_event, _delivery = table_of(EventRow), table_of(WebhookDelivery)
_OF_ACCOUNT = 10
_IDLE_S, _STEADY_S = 10.0, 20.0
_PATIENCE_S = 150.0
_RUNNING = "WorkflowType = 'WebhookDispatchWorkflow' AND ExecutionStatus = 'Running'"
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The endpoints of many accounts on an installation, and the processes that work for them."""

    site: Installation
    accounts: Sequence[Endpoints]
    pids: Mapping[str, int]

    @classmethod
    async def gathered(cls, site: Installation, url: str, *, endpoints: int, pids: Mapping[str, int]) -> "Crowd":
        """Return as many endpoints as are asked for, ten for each of as many new accounts as it takes."""
        first = await Endpoints.on(site)
        accounts = [await _account(first, at) for at in range(endpoints // _OF_ACCOUNT)]
        for account in accounts:
            for _ in range(_OF_ACCOUNT):
                await account.make(url)
        return cls(site=site, accounts=accounts, pids=pids)

    async def measured(self, *, per_s: float) -> AsyncIterator[str]:
        """Yield lines on the idle crowd, on events for everybody at once, on a steady stream, and on the calm after."""
        yield await self._idle("idle, before anything has happened")
        yield await self._burst()
        yield await self._steady(per_s)
        yield await self._idle("idle, after all was delivered")

    async def _idle(self, name: str) -> str:
        dispatchers = await self._dispatchers()
        before = read_cpu(self.pids)
        await asyncio.sleep(_IDLE_S)
        used = read_cpu(self.pids) - before
        share = ", ".join(f"{part} {seconds / _IDLE_S:.1%}" for part, seconds in used.seconds.items())
        return f"{name}: {dispatchers} dispatchers; of one core {share}; {self._memory()}"

    async def _burst(self) -> str:
        since, began, before = await self._newest(), time.monotonic(), read_cpu(self.pids)
        for each in self.accounts:
            await each.happen(1)
        count = len(self.accounts) * OF_ONE * _OF_ACCOUNT
        return await self._line("5 events of each account at once", since, count, began, before)

    async def _steady(self, per_s: float) -> str:
        """Have single events happen, of one account after another, at an even pace."""
        since, began, before = await self._newest(), time.monotonic(), read_cpu(self.pids)
        events = round(per_s / _OF_ACCOUNT * _STEADY_S)
        for at, account in zip(range(events), self._in_turn(), strict=False):
            await asyncio.sleep(max(0.0, began + at * _STEADY_S / events - time.monotonic()))
            await account.happen(1, of_one=1)
        return await self._line(f"{per_s:.0f} deliveries a second wanted", since, events * _OF_ACCOUNT, began, before)

    def _in_turn(self) -> Iterator[Endpoints]:
        return itertools.cycle(self.accounts)

    async def _line(self, name: str, since: int, count: int, began: float, before: Cpu) -> str:
        waits = await self._delivered(since, count)
        seconds, used = time.monotonic() - began, read_cpu(self.pids) - before
        each = used.ms_each(count)
        parts = ", ".join(f"{part} {ms:.2f}" for part, ms in each.items())
        p50, p99 = (waits[math.ceil(len(waits) * share) - 1] for share in (0.5, 0.99))
        return (
            f"{name}: {count} deliveries, {count / seconds:.0f}/s, p50 {p50:.2f} s, p99 {p99:.2f} s, "
            f"{sum(each.values()):.2f} ms CPU each ({parts}); {await self._dispatchers()} dispatchers; {self._memory()}"
        )

    async def _delivered(self, since: int, count: int) -> list[float]:
        """Wait until all is delivered; return how long each took, the shortest first."""
        which = (_delivery.c.number > since, _delivery.c.status == DeliveryStatus.DELIVERED.value)
        how_many = select(func.count()).select_from(_delivery).where(*which)
        until = time.monotonic() + _PATIENCE_S
        while await self._scalar(how_many) < count:
            if time.monotonic() > until:
                raise TimeoutError("not all was delivered in time")
            await asyncio.sleep(0.2)
        query = (
            select(_delivery.c.delivered_at, _event.c.occurred_at)
            .join(_event, _event.c.id == _delivery.c.event_id)
            .where(*which)
        )
        async with self.site.database.reading() as connection:
            rows: Sequence[tuple[datetime, datetime]] = [tuple(row) for row in await connection.execute(query)]
        return sorted((delivered - happened).total_seconds() for delivered, happened in rows)

    async def _newest(self) -> int:
        return await self._scalar(select(func.coalesce(func.max(_event.c.number), 0)))

    async def _scalar(self, query: Any) -> int:
        async with self.site.database.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def _dispatchers(self) -> int:
        return (await self.site.temporal_client.count_workflows(_RUNNING)).count

    def _memory(self) -> str:
        held = {part: psutil.Process(pid).memory_info().rss for part, pid in self.pids.items() if part != "postgresql"}
        return ", ".join(f"{part} {rss / _MIB:.0f} MiB" for part, rss in held.items())


async def _account(first: Endpoints, at: int) -> Endpoints:
    account: UUID = new_id()
    async with first.site.database.transaction() as connection:
        await insert_account(connection, account, name=f"Crowd {at}")
    return first.of(account)
