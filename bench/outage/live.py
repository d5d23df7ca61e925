"""What the drills against the product are, and what they are judged by."""

import sys
import tempfile
from asyncio import Runner
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles

from bench.outage.carriers import HANGS, LOSES, REFUSES, Behaviour
from bench.outage.figures import Figures, figures_of
from bench.outage.product import Drill, Seen
from bench.outage.switch import IN_TIME_S
from bench.outage.town import open_town
from bench.outage.virtual import Clock, VirtualLoop
from bench.outage.world import ROUTES, Sent
from bench.outage.world import Drill as Plan

_TOLD_EVERY = 500
_RATES = {each.name: each.rate for each in ROUTES}
HARD: Mapping[str, Behaviour] = {"refuses": REFUSES, "hangs": HANGS, "accepts and loses": LOSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class HardFigures:
    """Of the messages asked for while a carrier failed hard: how many arrived in time, and what should not have been.

    `unauthorised` counts the whole run. `p95_ms` is how long a fail-over after a refusal took; None where nothing was.
    """

    messages: int
    in_time: float
    unauthorised: int
    p95_ms: float | None


def silent(plan: Plan, *, seed: int) -> tuple[Figures, int]:
    """Run the silent outage against the product; return its figures, and the messages that nobody had authorised."""
    began_s = plan.before / plan.per_s
    ended_s = (plan.before + plan.during) / plan.per_s

    def behave(carrier: str, now_s: float) -> Behaviour:
        is_down = carrier == plan.failing and began_s <= now_s < ended_s
        return Behaviour(conversion=plan.dropped if is_down else _RATES[carrier])

    late_s = plan.late_s if plan.proved_s is None else plan.proved_s
    # A code that comes back right when those that do not are given up counts as proved: it is typed a moment sooner.
    typed_s = min(late_s, plan.late_s - 1.0)
    messages = plan.before + plan.during + plan.after
    seen = run(behave, messages=messages, per_s=plan.per_s, typed_after_s=typed_s, seed=seed)
    return figures_of([Sent(each.routed[0], each.is_proved) for each in seen.asked.values()], plan), seen.unauthorised


def hard(what: str, *, per_s: float, during: int, seed: int) -> HardFigures:
    """Run a hard outage of the first carrier, after a healthy time as long."""
    began_s = during / per_s

    def behave(carrier: str, now_s: float) -> Behaviour:
        is_down = carrier == ROUTES[0].name and now_s >= began_s
        return HARD[what] if is_down else Behaviour(conversion=_RATES[carrier])

    seen = run(behave, messages=2 * during, per_s=per_s, typed_after_s=12.0, seed=seed)
    meant = [each for each in seen.asked.values() if each.at_s >= began_s]
    arrived = [each for each in meant if each.arrived_s is not None and each.arrived_s - each.at_s < IN_TIME_S]
    return HardFigures(
        messages=len(meant),
        in_time=len(arrived) / len(meant),
        unauthorised=seen.unauthorised,
        p95_ms=_p95_ms(seen.failed_over_s),
    )


def run(
    behave: Callable[[str, float], Behaviour], *, messages: int, per_s: float, typed_after_s: float, seed: int
) -> Seen:
    """Run messages through the product, in an event loop of their own."""
    clock = Clock()
    with Runner(loop_factory=partial(VirtualLoop, clock)) as runner, tempfile.TemporaryDirectory() as folder:

        async def drill() -> Seen:
            async with open_town(Path(folder), clock) as town:
                drill = Drill(town, behave=behave, seed=seed, typed_after_s=typed_after_s)
                return await drill.run(messages=messages, per_s=per_s, progress=partial(_tell, of=messages))

        return runner.run(drill())


def _tell(number: int, *, of: int) -> None:
    if number % _TOLD_EVERY == 0 or number == of:
        print(f"  {number} of {of} messages through the product", file=sys.stderr, flush=True)


def _p95_ms(waits_s: list[float]) -> float | None:
    if not waits_s:
        return None
    return 1000 * (quantiles(waits_s, n=20)[-1] if len(waits_s) > 1 else waits_s[0])
