"""A burst through the product, short: nothing late, nothing lost, nothing too fast; and what its report judges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.burst.drill import Burst, burst
from bench.burst.report import Estimates, Left, Report, estimates_of, fullest_second, out_of_order, pace_of
from domain.ids import new_id

AT = datetime(2026, 11, 24, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
KEPT = Report(
    messages=10,
    sent=8,
    late=0,
    not_in_time=2,
    lost=0,
    out_of_order=0,
    while_arriving=3,
    starts_s=1.0,
    drain_s=1.0,
    parts_per_s=10.0,
    pace=9.0,
    most_in_1_s=11,
    visits=3.0,
    estimates=(),
)


@pytest.mark.timeout(110)
async def test_a_burst_leaves_through_one_connection_in_time_and_no_faster_than_it_may() -> None:
    report = await burst("sqlite", Burst(messages=30, parts_per_s=10.0, seed=1))

    assert (report.sent, report.late, report.lost) == (30, 0, 0)
    assert report.most_in_1_s <= 11
    # Who waits near its turn costs its sending and the timer of its receipt, like who need not wait.
    assert report.visits <= 6


@pytest.mark.parametrize(
    "broken",
    [{"late": 1}, {"lost": 1}, {"sent": 7}, {"out_of_order": 1}, {"pace": 7.0}, {"most_in_1_s": 12}],
)
def test_each_promise_can_be_seen_broken(broken: dict[str, Any]) -> None:
    assert KEPT.is_kept
    assert not replace(KEPT, **broken).is_kept


def left(*, planned: float = 0, at: float | None, ends: float) -> Left:
    moment = None if at is None else AT + timedelta(seconds=at)
    planned_at, expires_at = AT + timedelta(seconds=planned), AT + timedelta(seconds=ends)
    return Left(id=new_id(), planned_at=planned_at, left_at=moment, expires_at=expires_at)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"at": 3, "ends": 50}, 1),
        ({"at": None, "ends": 50}, 1),
        ({"at": 3, "ends": 70}, 0),
        ({"at": 1, "ends": 50}, 0),
        ({"planned": 2.5, "at": 3, "ends": 50}, 0),
    ],
)
def test_a_message_is_out_of_order_that_left_while_one_was_planned_whose_code_ends_sooner(
    other: dict[str, Any], found: int
) -> None:
    messages = [left(at=2, ends=60), left(**other)]

    assert out_of_order(messages, since=AT, until=LATER) == found
    assert out_of_order(messages, since=AT + timedelta(seconds=5), until=LATER) == 0


def test_the_pace_and_the_fullest_second_are_those_of_what_left() -> None:
    messages = [left(at=at, ends=60) for at in (0.0, 0.5, 0.9, 1.0, 2.0, None)]

    assert pace_of(messages, since=AT) == (2.0, 2.0)
    assert fullest_second(messages) == 3


def test_an_estimate_is_wrong_by_what_lies_between_it_and_what_happened() -> None:
    soon, late, never = left(at=10, ends=60), left(at=20, ends=60), left(at=None, ends=60)
    told = {each.id: AT + timedelta(seconds=12) for each in (soon, late, never)}

    found = estimates_of(told, [soon, late, never], asked_at=AT + timedelta(seconds=1), since=AT)

    assert found == Estimates(at_s=1.0, told=2, median_s=5.0, p95_s=7.7)
