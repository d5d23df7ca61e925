"""Lone starts and checks in a full system against an empty one: two whole systems, measured at the same time.

The old verifications and most of the open ones are rows only, written by SQL; some of the open ones are real, with a
workflow that waits. Each row has its attempt and its number's guard. PostgreSQL only: it is where so many would be.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.load.batches import Numbers, start_some
from bench.load.driver import Generator
from bench.load.lone import lone
from bench.load.plan import Aged, Plan
from bench.load.samples import Samples, merged
from bench.load.system import System, running
from bench.load.waiting import sent_since
from domain import ids

_CHUNK = 100_000
# Half a year of verifications, the last one an hour ago; ids are ordered by time, as the product makes them.
_APART_S = 15.0
_ID = (
    "(lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5('{0}' || n), 1, 3) "
    "|| '8' || substr(md5('{0}' || n), 4, 15))::uuid"
)
_ROWS = (
    "(SELECT n, clock_timestamp() - make_interval(secs => CAST(:ago AS float8) + (:last - n) * CAST(:apart AS float8)) "
    "AS at FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS rows"
)
_VERIFICATIONS = f"""
INSERT INTO verification (id, account_id, environment, country, number_sealed, number_hash, channel, purpose, locale,
  brand, code_length, status, reason, created_at, expires_at, finished_at, max_checks, checks, replays,
  failures_before, attempts_made)
SELECT {_ID.format("v")}, account.id, 'sandbox', 'GB', 'v1.00000000.' || md5('a' || n) || md5('b' || n),
  md5('number' || n), 'sms', 'confirm_contact', 'en', 'Bench', 6, CAST(:status AS text),
  CASE WHEN :status = 'pending' THEN NULL ELSE 'code_proved' END, at, at + interval '1 hour',
  CASE WHEN :status = 'pending' THEN NULL ELSE at + interval '20 seconds' END, 5, 1, 0, 0, 1
FROM {_ROWS}, account
"""  # noqa: S608 - made of constants
_ATTEMPTS = """
INSERT INTO attempt (id, verification_id, sequence, send, channel, carrier, region, pool_country, sender, sender_type,
  receipt_wait_s, reason, status, carrier_message_id, planned_at, submitting_at, answered_at)
SELECT id, id, 0, 1, 'sms', 'alpha', 'eu', 'GB', 'Countersign', 'alphanumeric',
  0, 'first route of pool GB', 'accepted', 'att_' || replace(id::text, '-', ''), created_at, created_at, created_at
FROM verification WHERE brand = 'Bench' AND NOT EXISTS (SELECT 1 FROM attempt WHERE verification_id = verification.id)
"""
_GUARDS = f"""
INSERT INTO number_guard (account_id, environment, number_hash, recent_sends, streak, next_send_at, failures)
SELECT account.id, 'sandbox', md5('number' || n),
  lpad((extract(epoch from at) * 1000)::bigint::text, 13, '0'), 1, at + interval '30 seconds', 0
FROM {_ROWS}, account
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class AgedFigures:
    """Medians of lone requests, in milliseconds, and what the full system held."""

    held: Aged
    start_empty_ms: float
    start_full_ms: float
    check_empty_ms: float
    check_full_ms: float

    @property
    def start_ratio(self) -> float:
        """Return how much longer a start takes in the full system."""
        return self.start_full_ms / self.start_empty_ms

    @property
    def check_ratio(self) -> float:
        """Return how much longer a check takes in the full system."""
        return self.check_full_ms / self.check_empty_ms


async def compare(plan: Plan, held: Aged, *, say: Callable[[str], None]) -> AgedFigures:
    """Fill one of two systems and measure both."""
    say("aged: starting an empty system and one to be filled")
    async with (
        running("postgresql", api_processes=plan.api_processes, with_floor=False) as empty,
        running("postgresql", api_processes=plan.api_processes, with_floor=False) as full,
        Generator() as generator,
        Generator() as other,
    ):
        await _fill(full, held, say=say)
        numbers = Numbers.fresh()
        if held.open_workflows:
            say(f"aged: {held.open_workflows} open verifications with their workflows")
            await _open(full, generator, numbers.take(held.open_workflows))
        found_empty: Samples = {}
        found_full: Samples = {}
        for at in range(held.rounds + 1):
            say(f"aged: lone starts and checks, {f'round {at} of {held.rounds}' if at else 'to warm up'}")
            # At the same time, so that both meet the same machine; with the pauses they seldom meet each other.
            of_empty, of_full = await asyncio.gather(
                lone(empty, generator, numbers.take(held.count), finish=False),
                lone(full, other, numbers.take(held.count), finish=False),
            )
            if at:
                found_empty, found_full = merged(found_empty, of_empty), merged(found_full, of_full)
        return AgedFigures(
            held=held,
            start_empty_ms=found_empty["lone start"].percentile_ms(50),
            start_full_ms=found_full["lone start"].percentile_ms(50),
            check_empty_ms=found_empty["lone check"].percentile_ms(50),
            check_full_ms=found_full["lone check"].percentile_ms(50),
        )


async def _open(system: System, generator: Generator, numbers: list[str]) -> None:
    marker = ids.new_id()
    starts = await start_some(system, generator, numbers, concurrency=20, ttl_s=600)
    await sent_since(system, marker, count=len(starts.bodies))


async def _fill(system: System, held: Aged, *, say: Callable[[str], None]) -> None:
    for first in range(1, held.old + 1, _CHUNK):
        last = min(first + _CHUNK - 1, held.old)
        async with system.database.transaction() as connection:
            await _insert(
                connection,
                first=first,
                last=last,
                status="approved",
                apart=_APART_S,
                ago=3600.0 + (held.old - last) * _APART_S,
            )
        say(f"aged: {last} of {held.old} old verifications")
    if held.open:
        async with system.database.transaction() as connection:
            await _insert(
                connection, first=held.old + 1, last=held.old + held.open, status="pending", apart=0.01, ago=0.0
            )
    # What autovacuum and the checkpointer of a server that lives for months have done long ago.
    async with system.database.statement() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
        await connection.execute(text("CHECKPOINT"))


async def _insert(connection: AsyncConnection, *, first: int, last: int, status: str, apart: float, ago: float) -> None:
    values = {"first": first, "last": last, "apart": apart, "ago": ago}
    await connection.execute(text(_VERIFICATIONS), {**values, "status": status})
    await connection.execute(text(_ATTEMPTS))
    await connection.execute(text(_GUARDS), values)
