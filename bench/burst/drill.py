"""A burst of starts through the product's API, workflow and worker, and a connection that takes few parts a second."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx2
from sqlalchemy import Select, func, select
from temporalio.api.enums.v1 import EventType

from bench.burst.pool import fill, write_routes
from bench.burst.report import Estimates, Left, Report, estimates_of, fullest_second, out_of_order, pace_of
from bench.load.batches import Numbers
from bench.load.driver import Generator
from bench.load.system import System, running
from domain import ids
from domain.statuses import AttemptStatus, VerificationStatus
from store.engine import Database
from store.route_decisions import database_now
from store.tables import Attempt, Verification, table_of
from store.times import fixed

_CONCURRENCY, _CREATED = 20, 201
_LOOK_S, _ASK_EVERY_S = 0.25, 20.0
_SAMPLED = 40
_attempt, _verification = table_of(Attempt), table_of(Verification)
_IS_PLANNED = _attempt.c.status == fixed(AttemptStatus.PLANNED)
_NOT_IN_LINE = select(func.count()).where(_IS_PLANNED, _attempt.c.waits_until.is_(None))
_WAITING = select(_attempt.c.verification_id).where(_IS_PLANNED).order_by(_attempt.c.waits_until)
_NOT_LEFT = (
    select(func.count())
    .select_from(_attempt.join(_verification, _verification.c.id == _attempt.c.verification_id))
    .where(_IS_PLANNED, _verification.c.status == fixed(VerificationStatus.PENDING))
)
_ROWS = (
    select(
        _verification.c.id,
        _verification.c.status,
        _verification.c.expires_at,
        func.min(_attempt.c.planned_at).label("planned_at"),
        func.min(_attempt.c.submitting_at).label("left_at"),
    )
    .select_from(_verification.join(_attempt, _attempt.c.verification_id == _verification.c.id))
    .group_by(_verification.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How many messages at once, with codes that live between these seconds, over how many numbers of one connection.

    `each_parts_per_s` is the pace of every number by itself; None: the connection's alone counts.
    """

    messages: int = 1_000
    parts_per_s: float = 10.0
    numbers: int = 3
    each_parts_per_s: float | None = None
    ttl_s: tuple[int, int] = (60, 600)
    seed: int = 0


async def burst(kind: str, plan: Burst) -> Report:
    """Start everything at once, watch it leave, and say what became of it."""
    with TemporaryDirectory(prefix="countersign-burst-") as folder:
        routes = write_routes(Path(folder), parts_per_s=plan.parts_per_s)
        async with running(kind, api_processes=1, with_floor=False, routes=routes) as system:
            await fill(system.database, numbers=plan.numbers, each_parts_per_s=plan.each_parts_per_s)
            starts_s = await _start(system, plan)
            stood_at = await _all_in_line(system.database)
            asked = await _watch(system, plan)
            return await _look(system, plan, starts_s=starts_s, stood_at=stood_at, asked=asked)


async def _start(system: System, plan: Burst) -> float:
    rng = random.Random(plan.seed)
    bodies = [
        ("/v1/verifications", json.dumps({"to": to, "ttl_s": rng.randint(*plan.ttl_s)}))
        for to in Numbers.fresh().take(plan.messages)
    ]
    async with Generator() as generator:
        began = time.monotonic()
        await generator.burst(system.api, bodies, concurrency=min(_CONCURRENCY, plan.messages), status=_CREATED)
        return time.monotonic() - began


async def _all_in_line(database: Database) -> datetime:
    """Wait until every message has left or was told to wait; return when that was, by the database's clock."""
    # ASYNC110 asks for an event, and rows give none.
    while await _count(database, _NOT_IN_LINE):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)
    async with database.reading() as connection:
        return await database_now(connection)


async def _watch(system: System, plan: Burst) -> list[tuple[datetime, dict[UUID, datetime]]]:
    """Ask the API now and then what it expects, until nothing waits any more."""
    asked: list[tuple[datetime, dict[UUID, datetime]]] = []
    until = time.monotonic() + plan.ttl_s[1] + _ASK_EVERY_S
    next_at = time.monotonic()
    while await _count(system.database, _NOT_LEFT) and time.monotonic() < until:
        if time.monotonic() >= next_at:
            async with system.database.reading() as connection:
                moment = await database_now(connection)
            asked.append((moment, await _expected(system)))
            next_at += _ASK_EVERY_S
        await asyncio.sleep(_LOOK_S)
    return asked


async def _expected(system: System) -> dict[UUID, datetime]:
    """Return what the API says of some of the messages that wait."""
    async with system.database.reading() as connection:
        waiting = list((await connection.execute(_WAITING)).scalars())
    told: dict[UUID, datetime] = {}
    url = f"http://127.0.0.1:{system.api.port}/v1/verifications"
    async with httpx2.AsyncClient(headers=dict(system.api.headers), trust_env=False, timeout=20) as http:
        for row in waiting[:: max(1, len(waiting) // _SAMPLED)]:
            answer = await http.get(f"{url}/{ids.verification_id(row)}")
            expected = answer.raise_for_status().json()["attempts"][-1]["expected_at"]
            if expected is not None:
                told[row] = datetime.fromisoformat(expected)
    return told


async def _look(
    system: System,
    plan: Burst,
    *,
    starts_s: float,
    stood_at: datetime,
    asked: Sequence[tuple[datetime, dict[UUID, datetime]]],
) -> Report:
    async with system.database.reading() as connection:
        rows = (await connection.execute(_ROWS)).all()
    messages = [
        Left(id=row.id, planned_at=row.planned_at, left_at=row.left_at, expires_at=row.expires_at) for row in rows
    ]
    first, last = min(each.planned_at for each in messages), max(each.expires_at for each in messages)
    drain_s, pace = pace_of(messages, since=stood_at)
    is_pending = {row.id for row in rows if row.status == VerificationStatus.PENDING}
    unsent = [each for each in messages if each.left_at is None]
    return Report(
        messages=plan.messages,
        sent=len(messages) - len(unsent),
        late=sum(each.left_at is not None and each.left_at >= each.expires_at for each in messages),
        not_in_time=sum(each.id not in is_pending for each in unsent),
        lost=sum(each.id in is_pending for each in unsent) + plan.messages - len(messages),
        out_of_order=out_of_order(messages, since=stood_at, until=last),
        while_arriving=out_of_order(messages, since=first, until=stood_at),
        starts_s=round(starts_s, 1),
        drain_s=round(drain_s, 1),
        parts_per_s=plan.parts_per_s,
        pace=round(pace, 2),
        most_in_1_s=fullest_second(messages),
        visits=await _visits(system, [each.id for each in messages][:: max(1, len(messages) // _SAMPLED)]),
        estimates=tuple(_estimates(asked, messages, stood_at)),
    )


def _estimates(
    asked: Sequence[tuple[datetime, dict[UUID, datetime]]], messages: Sequence[Left], stood_at: datetime
) -> list[Estimates]:
    return [estimates_of(told, messages, asked_at=moment, since=stood_at) for moment, told in asked]


async def _visits(system: System, some: Sequence[UUID]) -> float:
    """Return how often, on average, a message's sending was tried: what a wait costs Temporal."""
    tries = 0
    for each in some:
        history = await system.client.get_workflow_handle(f"verification/{ids.verification_id(each)}").fetch_history()
        kinds = [event.event_type for event in history.events]
        tries += kinds.count(EventType.EVENT_TYPE_TIMER_STARTED) + kinds.count(
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        )
    return round(tries / len(some), 2)


async def _count(database: Database, query: Select[int]) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())
