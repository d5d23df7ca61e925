"""Waiting between the steps of a batch, without putting load on what is measured."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import distinct, func, select

from bench.load.driver import LoadFailedError
from bench.load.system import System
from domain.statuses import AttemptStatus, VerificationStatus
from store.tables import Attempt, Verification, table_of

_LIMIT_S = 150.0
_LOOK_AGAIN_S = 0.1
# Between the carrier's answer and the timer that the workflow sets lies one workflow task.
_SETTLED_S = 0.3
# Longer than the three seconds after which the API gives up, and than any pause of a busy machine.
_STUCK_S = 12.0

_attempt, _verification = table_of(Attempt), table_of(Verification)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sent:
    """The messages of one batch, by the rows: from the first one planned to the last one answered.

    `counters` has, for each verification, the counter of its newest attempt that was accepted; `attempts` is how many
    there were in all, more than one each where messages were not taken in time and failed over; `failed` is how many
    verifications ran out of routes that way.
    """

    counters: Mapping[UUID, int]
    attempts: int
    failed: int
    within_s: float


async def sent_since(system: System, marker: UUID, *, count: int) -> Sent:
    """Wait until each verification made after the marker has a message accepted, or has failed; say how long it took.

    Raises:
        LoadFailedError: some have neither in time, or none has been accepted.

    """
    accepted = _attempt.c.status == AttemptStatus.ACCEPTED.value
    made = _attempt.c.id > marker
    how_many = select(func.count(distinct(_attempt.c.verification_id))).where(made, accepted)
    failed = select(func.count()).where(
        _verification.c.id > marker, _verification.c.status == VerificationStatus.FAILED.value
    )
    rows = select(
        _attempt.c.verification_id,
        _attempt.c.sequence,
        _attempt.c.status,
        _attempt.c.planned_at,
        _attempt.c.answered_at,
    ).where(made)

    async def all_sent() -> Sent | None:
        async with system.database.reading() as connection:
            without = (await connection.execute(failed)).scalar_one()
            if (await connection.execute(how_many)).scalar_one() + without < count:
                return None
            found = (await connection.execute(rows.order_by(_attempt.c.sequence))).all()
        taken = [row for row in found if row.status == AttemptStatus.ACCEPTED.value]
        if not taken:
            raise LoadFailedError("Not one message was accepted by a carrier")
        within = max(row.answered_at for row in taken) - min(row.planned_at for row in found)
        counters = {row.verification_id: row.sequence for row in taken}
        return Sent(counters=counters, attempts=len(found), failed=without, within_s=within.total_seconds())

    sent = await _until(all_sent, what=f"{count} messages", system=system)
    await asyncio.sleep(_SETTLED_S)
    return sent


async def floor_has_touched(system: System, count: int) -> None:
    """Wait until the floor's worker has done so many activities."""

    async def touched() -> bool | None:
        text = system.floor_count_file.read_text(encoding="ascii")
        return True if text and int(text) >= count else None

    await _until(touched, what="The floor's activities", system=system)
    await asyncio.sleep(_SETTLED_S)


async def workflows_left(system: System, kind: str) -> int:
    """Wait until no workflow of a type is running any more, or until nothing changes; return how many still run.

    Under overload the API gives up telling a workflow of its end (`tell_ended`): that one runs until its deadline.
    """
    seen, since = -1, time.monotonic()

    async def none_runs_or_stuck() -> int | None:
        nonlocal seen, since
        found = await system.client.count_workflows(f"WorkflowType = '{kind}' AND ExecutionStatus = 'Running'")
        if found.count != seen:
            seen, since = found.count, time.monotonic()
        return seen if seen == 0 or time.monotonic() - since > _STUCK_S else None

    return await _until(none_runs_or_stuck, what=f"The end of every {kind}", system=system)


async def _until(ask: Callable[[], Awaitable[_T | None]], *, what: str, system: System) -> _T:
    deadline = asyncio.get_running_loop().time() + _LIMIT_S
    while (answer := await ask()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise LoadFailedError(f"{what} did not come within {_LIMIT_S:.0f} s")
        system.ensure_alive()
        await asyncio.sleep(_LOOK_AGAIN_S)
    return answer
