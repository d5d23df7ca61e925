"""The outage drills against the running product, short: HTTP, Temporal, workers, carriers, and time that is skipped."""

import asyncio
from functools import partial
from math import inf
from pathlib import Path

import pytest

from bench.outage.carriers import Behaviour
from bench.outage.live import HardFigures, hard, silent
from bench.outage.numbers import UNAUTHORISED, permit
from bench.outage.product import Drill, Seen
from bench.outage.report import is_hard_kept
from bench.outage.switch import by_weight
from bench.outage.town import open_town
from bench.outage.virtual import Clock, VirtualLoop
from bench.outage.world import Drill as Plan


@pytest.mark.parametrize("what", ["refuses", "hangs", "accepts and loses"])
def test_in_a_hard_outage_messages_arrive_by_another_carrier(what: str) -> None:
    figures = hard(what, per_s=1.0, during=10, seed=0)

    assert figures.messages == 10
    assert figures.in_time >= 0.99
    assert figures.unauthorised == 0
    assert (figures.p95_ms is not None) == (what == "refuses")


def test_in_a_silent_outage_the_product_leaves_the_route() -> None:
    figures, unauthorised = silent(Plan(before=60, during=120, after=0, per_s=1.0), seed=1)

    # A fixed order has 0.30, and so has everybody in the first 40 s of the 120: nothing is known of them.
    assert figures.healthy > 0.7
    assert figures.outage > 0.4
    assert unauthorised == 0


def test_what_leaves_through_a_pair_that_the_drill_did_not_authorise_is_counted(tmp_path: Path) -> None:
    clock = Clock()

    async def permitted() -> Seen:
        async with open_town(tmp_path, clock) as town:
            for each in UNAUTHORISED:
                await permit(town.database, each)
            drill = Drill(town, behave=lambda _carrier, _now_s: Behaviour(), seed=0, typed_after_s=12.0)
            return await drill.run(messages=4, per_s=1.0, progress=lambda _: None)

    with asyncio.Runner(loop_factory=partial(VirtualLoop, clock)) as runner:
        seen = runner.run(permitted())

    # They are the cheapest, and equally unknown: only that nobody authorised them had kept the product from them.
    assert seen.unauthorised == 4
    assert all(each.is_proved for each in seen.asked.values())


@pytest.mark.parametrize(
    ("in_time", "unauthorised", "p95_ms", "kept"),
    [(0.99, 0, 249.0, True), (1.0, 0, None, True), (0.98, 0, 1.0, False), (1.0, 1, 1.0, False), (1.0, 0, 251.0, False)],
)
def test_the_bar_can_be_missed(in_time: float, unauthorised: int, p95_ms: float | None, *, kept: bool) -> None:
    figures = HardFigures(messages=100, in_time=in_time, unauthorised=unauthorised, p95_ms=p95_ms)

    assert is_hard_kept(figures) is kept


def test_the_clock_is_the_database_s_and_goes_ahead_when_it_is_moved() -> None:
    passed = [7.0]
    clock = Clock(passed=lambda: passed[0])

    before = clock.strftime("%Y-%m-%d %H:%M:%f", "now", "0 seconds")
    passed[0] += 0.25
    clock.move_to(1.25)
    clock.move_to(0.5)
    after = clock.strftime("%Y-%m-%d %H:%M:%f", "now", "-1 seconds")

    assert (before, after) == ("2026-11-24 12:00:00.000", "2026-11-24 12:00:00.250")


def test_an_event_loop_lives_by_the_clock_and_knows_what_is_due_next() -> None:
    clock = Clock(passed=lambda: 0.0)

    async def sleep_long() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.call_at(5.0, print).cancel()
        sleeping = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        due_s = loop.next_due()
        clock.move_to(due_s)
        await sleeping
        return due_s, loop.next_due()

    with asyncio.Runner(loop_factory=partial(VirtualLoop, clock)) as runner:
        assert runner.run(sleep_long()) == (3600.0, inf)


def test_the_switch_beside_it_sends_a_refused_message_again_and_a_lost_one_never() -> None:
    refused = by_weight("refuses", per_s=1.0, during=300, seeds=range(10))
    lost = by_weight("accepts and loses", per_s=1.0, during=300, seeds=range(10))

    assert 0.5 < lost.in_time < refused.in_time < 1.0
    assert refused.in_time + refused.late == 1.0
