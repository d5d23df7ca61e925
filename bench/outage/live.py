"""What the drills against the product are, and what they are judged by."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.outage.carriers import HANGS, LOSES, REFUSES, Behaviour
from bench.outage.figures import Figures, figures_of
from bench.outage.product import Asked, Drill
from bench.outage.town import open_town
from bench.outage.virtual import Clock
from bench.outage.world import ROUTES, Sent
from bench.outage.world import Drill as Plan

IN_TIME_S = 30.0
_RATES = {each.name: each.rate for each in ROUTES}
_HARD: Mapping[str, Behaviour] = {"refuses": REFUSES, "hangs": HANGS, "accepts and loses": LOSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class HardFigures:
    """Of the messages asked for while a carrier failed hard: how many arrived in time, how many by its fail-over."""

    what: str
    per_s: float
    messages: int
    in_time: float


async def silent(plan: Plan, *, seed: int) -> Figures:
    """Run the silent outage against the product."""
    began_s = plan.before / plan.per_s
    ended_s = (plan.before + plan.during) / plan.per_s

    def behave(carrier: str, now_s: float) -> Behaviour:
        is_down = carrier == plan.failing and began_s <= now_s < ended_s
        return Behaviour(conversion=plan.dropped if is_down else _RATES[carrier])

    late_s = plan.late_s if plan.proved_s is None else plan.proved_s
    # A code that comes back right when those that do not are given up counts as proved: it is typed a moment sooner.
    typed_s = min(late_s, plan.late_s - 1.0)
    asked = await _run(
        behave, messages=plan.before + plan.during + plan.after, per_s=plan.per_s, typed=typed_s, seed=seed
    )
    return figures_of([Sent(each.route or "", each.is_proved) for each in asked], plan)


async def hard(what: str, *, per_s: float, during: int, seed: int) -> HardFigures:
    """Run a hard outage of the first carrier, after a healthy time as long."""
    began_s = during / per_s

    def behave(carrier: str, now_s: float) -> Behaviour:
        is_down = carrier == ROUTES[0].name and now_s >= began_s
        return _HARD[what] if is_down else Behaviour(conversion=_RATES[carrier])

    asked = await _run(behave, messages=2 * during, per_s=per_s, typed=12.0, seed=seed)
    meant = [each for each in asked if each.at_s >= began_s]
    arrived = [each for each in meant if each.arrived_s is not None and each.arrived_s - each.at_s <= IN_TIME_S]
    return HardFigures(what=what, per_s=per_s, messages=len(meant), in_time=len(arrived) / len(meant))


def hard_ones() -> list[str]:
    """Return the ways in which a carrier fails hard."""
    return list(_HARD)


async def _run(
    behave: Callable[[str, float], Behaviour], *, messages: int, per_s: float, typed: float, seed: int
) -> list[Asked]:
    print(f"{messages} messages through the product ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        town = await open_town(Path(folder), clock)
        try:
            return list(
                await Drill(town, behave=behave, seed=seed, typed_after_s=typed).run(messages=messages, per_s=per_s)
            )
        finally:
            await town.database.close()
