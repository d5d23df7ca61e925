"""A number's life has one way through it, and capacity is exact."""

import math
from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.routing import NumberState
from rules.routing.capacity import (
    COMES_EARLY_S,
    FORGIVEN_TENTHS,
    MICROS,
    WAITS_HERE_S,
    Bucket,
    bucket_of,
    may_leave_us,
    slowed,
    taken,
    wait_s,
)
from rules.routing.number_life import (
    HELD,
    IN_SERVICE,
    aged_at,
    aging_days,
    is_harvesting,
    is_sticky,
    may_become,
    nexts,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AN_HOUR_US = 3_600 * MICROS


def reachable(state: NumberState) -> set[NumberState]:
    found, ahead = set[NumberState](), [state]
    while ahead:
        for each in nexts(ahead.pop()) - found:
            found.add(each)
            ahead.append(each)
    return found


@pytest.mark.parametrize("state", NumberState)
def test_every_state_comes_after_a_reservation_and_has_an_end(state: NumberState) -> None:
    assert state is NumberState.RESERVED or state in reachable(NumberState.RESERVED)
    assert state is NumberState.RETIRED or NumberState.RETIRED in reachable(state)


def test_a_number_goes_from_one_account_to_another_only_through_its_rest() -> None:
    assert not may_become(NumberState.LEASED, NumberState.AVAILABLE)
    assert not may_become(NumberState.DRAINING, NumberState.AVAILABLE)
    assert may_become(NumberState.DRAINING, NumberState.AGING)
    assert may_become(NumberState.AGING, NumberState.AVAILABLE)


def test_a_number_in_use_is_not_released() -> None:
    assert not may_become(NumberState.LEASED, NumberState.RELEASING)


def test_a_retired_number_does_not_come_back() -> None:
    assert nexts(NumberState.RETIRED) == frozenset()


def test_what_is_in_service_is_ours() -> None:
    assert IN_SERVICE < HELD


@pytest.mark.parametrize(("country", "days"), [("US", 45), ("CA", 45), ("GB", 90), ("IN", 90)])
def test_a_number_rests_between_accounts(country: str, days: int) -> None:
    assert aging_days(country) == days
    assert aged_at(NOW, country=country) == NOW + timedelta(days=days)


@pytest.mark.parametrize(("released", "quota", "is_too_much"), [(10, 5, False), (11, 5, True), (0, 0, False)])
def test_more_than_twice_the_quota_is_harvesting(released: int, quota: int, *, is_too_much: bool) -> None:
    assert is_harvesting(released=released, quota=quota) is is_too_much


def test_a_sender_is_the_recipient_s_for_eight_days() -> None:
    assert is_sticky(NOW - timedelta(days=8), now=NOW)
    assert not is_sticky(NOW - timedelta(days=8, seconds=1), now=NOW)


@given(
    st.floats(0.1, 300),
    st.integers(1, 10),
    st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(1, 3)), max_size=60),
)
def test_no_stretch_of_time_sees_more_parts_than_its_rate_one_burst_and_what_is_forgiven(
    rate: float, burst: int, asks: list[tuple[int, int]]
) -> None:
    bucket, now, left = bucket_of(rate, burst_parts=burst), 0, list[tuple[int, int]]()
    for pause, parts in asks:
        now += pause
        then = taken(bucket, parts=parts, now_us=now)
        if then is not None:
            bucket = then
            left.append((now, parts))

    for first in range(len(left)):
        for last in range(first, len(left)):
            stretch_s = (left[last][0] - left[first][0]) / MICROS
            parts = sum(parts for _, parts in left[first:last])
            forgiven = FORGIVEN_TENTHS / 10
            assert parts <= rate * stretch_s * 1.00001 + burst - 1 + forgiven + 3 * 0.001 + (0 if burst == 1 else 3)


def test_a_full_speed_sender_leaves_at_its_rate() -> None:
    bucket, now, sent = bucket_of(10), 0, 0
    while now < 60 * MICROS:
        then = taken(bucket, parts=1, now_us=now)
        sent += then is not None
        bucket = then or bucket
        now += 1_000

    assert sent == 600


def test_a_message_of_three_parts_takes_three_times_as_long() -> None:
    bucket = taken(bucket_of(1), parts=3, now_us=0)

    assert bucket is not None
    assert may_leave_us(bucket, now_us=0) == 3 * MICROS
    assert taken(bucket, parts=1, now_us=3 * MICROS - 1) is None
    assert taken(bucket, parts=1, now_us=3 * MICROS) is not None


def test_a_burst_leaves_at_once_after_a_rest_and_no_more() -> None:
    bucket = bucket_of(1, burst_parts=5)

    leaving = []
    for _ in range(7):
        then = taken(bucket, parts=1, now_us=0)
        leaving.append(then is not None)
        bucket = then or bucket

    assert leaving == [True] * 5 + [False] * 2


def test_nobody_goes_away_for_less_than_the_second_that_a_timer_takes_at_least() -> None:
    assert WAITS_HERE_S - COMES_EARLY_S >= 1


def test_callers_see_how_long_a_burst_takes_to_drain() -> None:
    assert wait_s(bucket_of(10), parts_ahead=1_000, now_us=0) == 100


def test_a_carrier_that_says_too_fast_is_left_alone_for_a_while() -> None:
    bucket = slowed(bucket_of(10, burst_parts=5), pause_us=2 * MICROS, now_us=0)

    assert taken(bucket, parts=1, now_us=2 * MICROS - 1) is None
    assert taken(bucket, parts=1, now_us=2 * MICROS) is not None
    assert slowed(bucket, pause_us=1, now_us=0) == bucket


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_lets_nothing_through_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="at least something"):
        bucket_of(rate, burst_parts=burst)


def test_the_state_of_a_bucket_is_one_number() -> None:
    bucket = taken(bucket_of(4), parts=1, now_us=AN_HOUR_US)

    assert bucket == Bucket(part_us=250_000, free_at_us=AN_HOUR_US + 250_000)


@pytest.mark.parametrize(("late_us", "paid_from_us"), [(0, 0), (89_999, 0), (150_000, 60_000), (500_000, 500_000)])
def test_a_part_that_is_late_is_paid_from_its_turn_as_far_as_that_is_forgiven_and_from_now_after_a_rest(
    late_us: int, paid_from_us: int
) -> None:
    turn_us = AN_HOUR_US
    bucket = taken(Bucket(part_us=100_000, free_at_us=turn_us), parts=1, now_us=turn_us + late_us)

    assert bucket == Bucket(part_us=100_000, free_at_us=turn_us + paid_from_us + 100_000)


@given(st.floats(0.5, 100), st.lists(st.integers(0, 3_000_000), min_size=30, max_size=200))
def test_no_second_sees_more_than_one_part_over_the_pace_however_late_its_parts_are(
    rate: float, late_us: list[int]
) -> None:
    bucket, now, left = bucket_of(rate), AN_HOUR_US, list[int]()
    for late in late_us:
        now = may_leave_us(bucket, now_us=now) + late % (2 * bucket.part_us)
        then = taken(bucket, parts=1, now_us=now)
        assert then is not None
        bucket = then
        left.append(now)

    fullest = max(bisect_left(left, first + MICROS) - at for at, first in enumerate(left))
    assert fullest <= math.ceil(rate) + 1


def test_a_line_keeps_its_pace_where_every_part_is_late() -> None:
    bucket, now = bucket_of(10), AN_HOUR_US
    for _ in range(600):
        now = may_leave_us(bucket, now_us=now) + 70_000
        bucket = taken(bucket, parts=1, now_us=now) or bucket

    assert now - AN_HOUR_US == pytest.approx(60 * MICROS, rel=0.01)
