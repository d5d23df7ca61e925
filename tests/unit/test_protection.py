"""The pure rules of protection: advice about sends, allowances of checks, and what is published of both."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.protection.checks import DELAYS_S, FAILURES_CAP, CheckLimits, allowance
from rules.protection.published import published_limits
from rules.protection.sends import GAPS_S, LONG, REMEMBERED, SHORT, WINDOWS, SendAdvice, advise

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def ago(*seconds: float) -> list[datetime]:
    """Return moments before now, newest first."""
    return [NOW - timedelta(seconds=each) for each in sorted(seconds)]


def advice(*seconds: float, gap_left_s: float = 0) -> SendAdvice:
    return advise(ago(*seconds), next_send_at=NOW + timedelta(seconds=gap_left_s), now=NOW)


def test_a_number_never_written_to_has_five_messages_left_now() -> None:
    assert advice() == SendAdvice(sends_left=5, next_send_at=NOW)


def test_after_the_first_message_four_are_left_once_the_gap_is_over() -> None:
    assert advice(0, gap_left_s=30) == SendAdvice(sends_left=4, next_send_at=NOW + timedelta(seconds=30))


def test_with_five_in_ten_minutes_the_next_is_allowed_when_the_first_of_them_is_ten_minutes_old() -> None:
    assert advice(10, 100, 200, 300, 400) == SendAdvice(sends_left=0, next_send_at=NOW + timedelta(seconds=200))


def test_a_message_exactly_ten_minutes_old_counts_no_more() -> None:
    assert advice(600, 100, 200, 300, 400).sends_left == 1
    assert advice(599.999, 100, 200, 300, 400).sends_left == 0


def test_with_ten_in_a_day_the_next_is_allowed_when_the_first_of_them_is_a_day_old() -> None:
    told = advice(*(3_600 * hours for hours in range(1, 11)))

    assert told == SendAdvice(sends_left=0, next_send_at=NOW + timedelta(hours=14))


def test_the_later_of_gap_and_windows_is_told() -> None:
    assert advice(10, 100, 200, 300, 400, gap_left_s=500).next_send_at == NOW + timedelta(seconds=500)


@given(st.lists(st.floats(min_value=0, max_value=100_000), max_size=REMEMBERED), st.floats(min_value=0, max_value=120))
def test_what_is_told_as_allowed_is_allowed(seconds: list[float], gap_left_s: float) -> None:
    told = advice(*seconds, gap_left_s=gap_left_s)

    later = [sent for sent in ago(*seconds) if sent <= told.next_send_at]
    for window in WINDOWS:
        inside = [sent for sent in later if sent > told.next_send_at - timedelta(seconds=window.length_s)]
        assert len(inside) < window.count
    assert 0 <= told.sends_left <= SHORT.count
    assert told.next_send_at >= NOW


def test_enough_send_times_are_remembered_for_every_window() -> None:
    assert max(SHORT.count, LONG.count) == REMEMBERED


@pytest.mark.parametrize(
    ("failures", "today", "allowed"),
    [(0, 0, 5), (24, 0, 5), (25, 0, 5), (26, 0, 4), (29, 0, 1), (30, 0, 0), (0, 27, 3), (0, 30, 0), (28, 29, 1)],
)
def test_a_verification_gets_the_least_of_what_each_limit_leaves(failures: int, today: int, allowed: int) -> None:
    assert allowance(CheckLimits(), failures_in_a_row=failures, checks_today=today) == allowed


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=0, max_value=60))
def test_an_allowance_never_takes_a_number_over_a_limit(failures: int, today: int) -> None:
    limits = CheckLimits()
    allowed = max(0, allowance(limits, failures_in_a_row=failures, checks_today=today))

    assert allowed <= limits.per_verification
    assert allowed == 0 or failures + allowed <= FAILURES_CAP
    assert allowed == 0 or today + allowed <= limits.per_day


def test_delays_double_from_half_a_minute_to_an_hour() -> None:
    assert DELAYS_S[0] == 30
    assert DELAYS_S[-1] == 3_600
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(DELAYS_S[:-1]))


def test_the_published_limits_are_those_in_force() -> None:
    published = published_limits(
        CheckLimits(failures_in_a_row=20),
        requests_per_s=7,
        wrong_checks_per_hour=100,
        wrong_checks_per_hour_instance=1_000,
    )

    assert published["number"] == {
        "seconds_between_sends": list(GAPS_S),
        "sends": [{"count": 5, "per_s": 600}, {"count": 10, "per_s": 86_400}],
        "automatic_attempts_per_send": 3,
    }
    assert published["checks"]["failures_in_a_row"] == 20
    assert published["checks"]["per_number_per_day"] == 30
    assert published["checks"]["lock_s"] == 86_400
    assert published["checks"]["delays"] == {"from_failure": 10, "seconds": list(DELAYS_S)}
    assert published["checks"]["wrong_per_hour_account"] == 100
    assert published["codes"]["length"] == {"min": 4, "max": 8}
    assert published["codes"]["ttl_s"] == {"default": 300, "min": 30, "max": 600}
    assert published["api"] == {"requests_per_s": 7, "burst": 14, "body_bytes": 65_536}
