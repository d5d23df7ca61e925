"""Rows rewritten where waiting is not the point of a drill: gaps and delays pass at once, a deadline nears."""

from typing import Any

from sqlalchemy import update

from bench.chaos.installation import Installation
from domain.ids import parse
from store.tables import Attempt, NumberGuard, Verification, table_of
from store.times import now_plus

_guard, _verification, _attempt = table_of(NumberGuard), table_of(Verification), table_of(Attempt)


async def let_a_day_pass_between_sends(site: Installation, number: str) -> None:
    """Have the number look as if its messages had been sent long ago; its guesses stay as they are."""
    hashed = site.keys.lookup_hash(number)
    past = now_plus(-1)
    await _run(
        site,
        update(_guard)
        .where(_guard.c.number_hash == hashed)
        .values(recent_sends="", streak=0, next_send_at=past, next_check_at=None),
        update(_verification).where(_verification.c.number_hash == hashed).values(next_check_at=None),
    )


async def bring_deadline_near(site: Installation, verification: str, *, left_s: int) -> None:
    """Have a verification expire so many seconds from the database's now."""
    of_this = _verification.c.id == parse(verification, prefix="ver")
    await _run(site, update(_verification).where(of_this).values(expires_at=now_plus(left_s)))


async def let_plans_grow_old(site: Installation, verification: str, *, by_s: int) -> None:
    """Have a verification's attempts look as if they had been planned some time ago."""
    of_this = _attempt.c.verification_id == parse(verification, prefix="ver")
    await _run(site, update(_attempt).where(of_this).values(planned_at=now_plus(-by_s)))


async def _run(site: Installation, *statements: Any) -> None:
    async with site.database.transaction() as connection:
        for statement in statements:
            await connection.execute(statement)
