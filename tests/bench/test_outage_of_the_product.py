"""The outage drills against the product itself, short: what is printed is made by the product's own parts."""

import pytest

from bench.outage.live import hard, silent
from bench.outage.virtual import Clock
from bench.outage.world import Drill


@pytest.mark.parametrize("what", ["refuses", "hangs", "accepts and loses"])
async def test_in_a_hard_outage_messages_arrive_by_another_carrier(what: str) -> None:
    figures = await hard(what, per_s=1.0, during=20, seed=0)

    assert figures.messages == 20
    assert figures.in_time >= 0.99


async def test_in_a_silent_outage_the_product_leaves_the_route() -> None:
    figures = await silent(Drill(before=150, during=300, after=200), seed=1)

    # A fixed order has 0.30; the first 40 s of 60 are lost to everybody, as nothing is known of them.
    assert figures.healthy > 0.7
    assert figures.outage > 0.35


def test_the_clock_is_the_database_s_and_stands_until_it_is_moved() -> None:
    clock = Clock()

    before = clock.strftime("%Y-%m-%d %H:%M:%f", "now", "0 seconds")
    clock.now_s = 1.25
    after = clock.strftime("%Y-%m-%d %H:%M:%f", "now", "-1 seconds")

    assert (before, after) == ("2026-11-24 12:00:00.000", "2026-11-24 12:00:00.250")
