"""Workers killed while leases rotate, short: everything leaves, under a fence that is good, no faster than it may."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.leases.drill import drill
from bench.leases.report import Report

KEPT = Report(
    messages=10,
    sends=11,
    killed=3,
    rotated=7,
    set_aside=2,
    lost=4,
    given_up=0,
    left=0,
    stale=0,
    most_over=1,
    endless=0,
)


async def test_while_workers_are_killed_and_numbers_taken_away_everything_leaves_as_it_should(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'leases.db'}"

    report = await drill(url, messages=60, parts_per_s=5.0, kill_every_s=1.0, within_s=60)

    assert report.is_kept
    assert report.killed > 0
    assert report.rotated > 0


@pytest.mark.parametrize(
    "broken", [{"sends": 9}, {"given_up": 1}, {"left": 1}, {"stale": 1}, {"most_over": 2}, {"endless": 1}]
)
def test_each_promise_can_be_seen_broken(broken: dict[str, Any]) -> None:
    assert KEPT.is_kept
    assert not replace(KEPT, **broken).is_kept
