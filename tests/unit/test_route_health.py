"""Breakers open and close in time, falls are noticed and flukes are not, waits are learnt within bounds."""

import itertools
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.statuses import FailureClass, SubmissionStatus
from rules.routing import sketch
from rules.routing.breaker import (
    IN_A_ROW_AT_ONCE,
    PROBES_TO_CLOSE,
    Breaker,
    BreakerState,
    after_outcome,
    is_hard_failure,
    may_probe,
    probe_taken,
)
from rules.routing.health import (
    PROBES_TO_RETURN,
    TRIAL_AT_MOST,
    NumberRecord,
    Trouble,
    has_fallen,
    has_proved_itself,
    has_returned,
    in_a_row,
    quarantine,
    relapse_of,
    score,
    trouble_of,
)
from rules.routing.health import (
    may_probe as may_probe_quarantined,
)
from rules.routing.proportions import Share, beta_below, lower_bound, z_of_fall
from rules.routing.sketch import Sketch, merged, sketch_of
from rules.routing.timers import receipt_wait_s, verify_wait_s

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def after(breaker: Breaker, outcomes: str, *, every_s: float, since_s: float = 0, is_probe: bool = False) -> Breaker:
    """Return a breaker after outcomes at an even pace: f failed, p passed."""
    for number, outcome in enumerate(outcomes):
        moment = at(since_s + number * every_s)
        breaker = after_outcome(breaker, is_hard=outcome == "f", now=moment, is_probe=is_probe)
    return breaker


@pytest.mark.parametrize("per_s", [0.2, 1, 5, 50])
def test_a_breaker_opens_within_ten_seconds_of_the_first_failure(per_s: float) -> None:
    opened = after(Breaker(), "p" * 20 + "f" * (int(10 * per_s) + 1), every_s=1 / per_s)

    assert opened.state is BreakerState.OPEN


def test_a_hiccup_does_not_open_it() -> None:
    assert after(Breaker(), "ppppffpppp", every_s=1).state is BreakerState.CLOSED
    assert after(Breaker(), "f" * (IN_A_ROW_AT_ONCE - 1), every_s=0.001).state is BreakerState.CLOSED


def test_a_carrier_that_fails_most_of_the_time_opens_it_although_it_answers_now_and_then() -> None:
    assert after(Breaker(), "pfpffpffpff", every_s=1).state is BreakerState.OPEN


def test_failures_before_a_long_pause_do_not_count() -> None:
    before = after(Breaker(), "ff", every_s=1)

    assert after(before, "f", every_s=1, since_s=120).state is BreakerState.CLOSED


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.floats(0.01, 1.5))
def test_an_open_breaker_is_probed_once_a_second_at_most(probes: list[bool], step_s: float) -> None:
    breaker, taken, moment = after(Breaker(), "fffff", every_s=1), [], 5.0
    for lost in probes:
        moment += step_s
        if breaker.state is not BreakerState.CLOSED and may_probe(breaker, now=at(moment)):
            breaker = probe_taken(breaker, now=at(moment))
            taken.append(moment)
            breaker = after_outcome(breaker, is_hard=lost, now=at(moment), is_probe=True)

    assert all(later - earlier >= 0.999 for earlier, later in itertools.pairwise(taken))


def test_probes_that_pass_close_it_and_one_that_fails_starts_again() -> None:
    breaker = after(Breaker(), "fffff", every_s=1)

    half = after(breaker, "p" * (PROBES_TO_CLOSE - 1), every_s=1, since_s=10, is_probe=True)
    lost = after(half, "f", every_s=1, since_s=20, is_probe=True)
    closed = after(lost, "p" * PROBES_TO_CLOSE, every_s=1, since_s=30, is_probe=True)

    assert [half.state, lost.state, closed.state] == [BreakerState.HALF_OPEN, BreakerState.OPEN, BreakerState.CLOSED]
    assert (lost.probes_passed, lost.probes_lost) == (0, 1)


def test_a_carrier_that_stays_away_is_asked_ever_less_often_but_every_half_minute() -> None:
    breaker, pauses = after(Breaker(), "fffff", every_s=1), []
    for _ in range(8):
        assert breaker.probe_at is not None
        before = breaker.probe_at
        breaker = after_outcome(probe_taken(breaker, now=before), is_hard=True, now=before, is_probe=True)
        assert breaker.probe_at is not None
        pauses.append((breaker.probe_at - before).total_seconds())

    assert pauses == [2, 4, 8, 16, 32, 32, 32, 32]


def test_what_was_on_its_way_when_it_opened_is_no_probe() -> None:
    opened = after(Breaker(), "fff", every_s=1)

    assert after(opened, "fffppppp", every_s=0.1, since_s=3) == opened


@pytest.mark.parametrize(
    ("status", "failure", "is_hard"),
    [
        (SubmissionStatus.UNKNOWN, FailureClass.UNKNOWN, True),
        (SubmissionStatus.REJECTED, FailureClass.ROUTE_TEMPORARY, True),
        (SubmissionStatus.REJECTED, FailureClass.ACCOUNT, True),
        (SubmissionStatus.REJECTED, FailureClass.RECIPIENT_PERMANENT, False),
        (SubmissionStatus.REJECTED, FailureClass.BLOCKED_CONTENT, False),
        (SubmissionStatus.THROTTLED, FailureClass.THROTTLED, False),
        (SubmissionStatus.ACCEPTED, None, False),
    ],
)
def test_only_what_speaks_against_the_carrier_is_hard(
    status: SubmissionStatus, failure: FailureClass | None, *, is_hard: bool
) -> None:
    assert is_hard_failure(status, failure) is is_hard


def test_the_drill_s_fall_is_noticed_with_thirty_attempts_and_not_with_fewer() -> None:
    baseline = Share(880, 1_000)

    assert has_fallen(Share(9, 30), baseline=baseline)
    assert not has_fallen(Share(8, 29), baseline=baseline)


def test_a_fall_that_is_certain_but_small_is_none() -> None:
    assert z_of_fall(Share(83_000, 100_000), before=Share(88_000, 100_000)) > 30
    assert not has_fallen(Share(83_000, 100_000), baseline=Share(88_000, 100_000))


def test_of_a_thousand_looks_at_a_healthy_route_hardly_any_sees_a_fall() -> None:
    rng = random.Random(1)
    looks = (Share(sum(rng.random() < 0.85 for _ in range(60)), 60) for _ in range(1_000))

    assert sum(has_fallen(look, baseline=Share(850, 1_000)) for look in looks) <= 2


def test_what_was_set_aside_returns_by_probes_that_prove_it() -> None:
    assert has_returned(Share(9, 10), baseline=Share(88, 100))
    assert not has_returned(Share(9, 9), baseline=Share(88, 100))
    assert not has_returned(Share(3, 10), baseline=Share(88, 100))


def test_probes_are_two_in_a_hundred_at_most() -> None:
    probes = 0
    for messages in range(10_000):
        probes += may_probe_quarantined(probes=probes, messages=messages)
        assert probes <= 0.02 * (messages + 1)

    assert probes == 200


def test_a_quarantine_lasts_a_day_doubled_each_time_up_to_a_month() -> None:
    lengths = [(quarantine(relapses=relapses, now=NOW).until - NOW) / timedelta(days=1) for relapses in range(8)]

    assert lengths == [1, 2, 4, 8, 16, 30, 30, 30]
    assert quarantine(relapses=3, now=NOW).relapses == 4


def a_record(
    proved: int = 850, received: int = 950, blocked: int = 0, spam: int = 0, total: int = 1_000
) -> NumberRecord:
    return NumberRecord(
        proved=Share(proved, total),
        received=Share(received, total),
        blocked=Share(blocked, total),
        spam=Share(spam, total),
    )


POOL = a_record()


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (a_record(), None),
        (a_record(proved=30, received=90, total=100), Trouble.CONVERSION_LOW),
        (a_record(proved=80, received=30, total=100), Trouble.RECEIPTS_LOW),
        (a_record(proved=80, received=90, blocked=8, total=100), Trouble.SENDER_BLOCKED),
        (a_record(proved=80, received=90, blocked=8, spam=6, total=100), Trouble.SPAM_REPORTED),
        (a_record(proved=0, received=0, total=29), None),
        (a_record(proved=85, received=95, blocked=1, total=100), None),
    ],
)
def test_a_number_is_set_aside_for_what_sets_it_apart_from_its_pool(
    number: NumberRecord, trouble: Trouble | None
) -> None:
    assert trouble_of(number, pool=POOL) is trouble


def on_trial(proved: int, total: int, *, blocked: int = 0) -> NumberRecord:
    return a_record(proved, received=total, blocked=blocked, total=total)


@given(st.lists(st.booleans(), max_size=TRIAL_AT_MOST + 20))
def test_a_trial_ends_one_way_or_the_other_and_never_both(outcomes: list[bool]) -> None:
    number = on_trial(sum(outcomes), len(outcomes))
    is_proved, relapse = has_proved_itself(number, pool=POOL), relapse_of(number, pool=POOL)

    assert not (is_proved and relapse)
    if len(outcomes) < PROBES_TO_RETURN:
        assert not is_proved
        assert relapse is None
    if len(outcomes) >= TRIAL_AT_MOST:
        assert is_proved or relapse


@given(total=st.integers(PROBES_TO_RETURN, TRIAL_AT_MOST), proved=st.integers(0, TRIAL_AT_MOST - 1))
def test_one_more_code_that_came_back_never_speaks_against_a_number_on_trial(total: int, proved: int) -> None:
    less, more = on_trial(min(proved, total - 1), total), on_trial(min(proved + 1, total), total)

    assert has_proved_itself(more, pool=POOL) >= has_proved_itself(less, pool=POOL)
    assert (relapse_of(more, pool=POOL) is None) >= (relapse_of(less, pool=POOL) is None)


def test_ten_codes_that_all_came_back_prove_a_number_and_fifteen_that_did_not_prove_the_contrary() -> None:
    assert has_proved_itself(on_trial(10, 10), pool=POOL)
    assert relapse_of(on_trial(0, 15), pool=POOL) is Trouble.CONVERSION_LOW


def test_a_number_refused_for_its_sender_has_not_proved_itself_whatever_came_back() -> None:
    number = on_trial(10, 12, blocked=2)

    assert not has_proved_itself(number, pool=POOL)
    assert relapse_of(number, pool=POOL) is Trouble.SENDER_BLOCKED


def test_where_the_pool_has_no_other_number_one_that_works_proves_itself_and_one_that_does_not_does_not() -> None:
    nothing = on_trial(0, 0)

    assert has_proved_itself(on_trial(9, 10), pool=nothing)
    assert not has_proved_itself(on_trial(2, 10), pool=nothing)
    assert relapse_of(on_trial(2, TRIAL_AT_MOST), pool=nothing) is Trouble.CONVERSION_LOW


def test_good_numbers_come_back_and_bad_ones_do_not() -> None:
    rng = random.Random(1)

    def comes_back(rate: float) -> bool:
        proved = 0
        for total in range(1, TRIAL_AT_MOST + 1):
            proved += rng.random() < rate
            if relapse_of(on_trial(proved, total), pool=POOL) is not None:
                return False
            if has_proved_itself(on_trial(proved, total), pool=POOL):
                return True
        return False

    assert sum(comes_back(0.85) for _ in range(100)) >= 98
    assert sum(comes_back(0.2) for _ in range(100)) <= 2


@pytest.mark.parametrize(("days", "before"), [(0, 3), (29, 3), (30, 0)])
def test_a_number_that_did_its_work_for_a_month_is_set_aside_as_if_for_the_first_time(days: int, before: int) -> None:
    assert in_a_row(relapses=3, in_service_for=timedelta(days=days)) == before


def throttled(times: int, total: int = 100) -> NumberRecord:
    return replace(a_record(85, 95, total=100), throttled=Share(times, total))


@pytest.mark.parametrize(("pool_times", "trouble"), [(5, Trouble.THROTTLED), (30, None)])
def test_a_number_told_too_fast_more_than_its_pool_is_set_aside_and_not_for_its_connection(
    pool_times: int, trouble: Trouble | None
) -> None:
    assert trouble_of(throttled(40), pool=throttled(pool_times)) is trouble
    assert trouble_of(throttled(20), pool=throttled(pool_times)) is None


def test_when_the_whole_pool_is_bad_its_numbers_are_not_to_blame() -> None:
    bad = a_record(proved=300, received=300)

    assert trouble_of(a_record(proved=30, received=30, total=100), pool=bad) is None


def test_a_number_that_is_hardly_known_is_trusted_less_than_a_proven_one() -> None:
    assert score(a_record(8, 9, total=10), pool=POOL) < score(a_record(80, 90, total=100), pool=POOL) < 0.85


@pytest.mark.parametrize(
    ("x", "alpha", "beta", "below"),
    # Closed forms: the uniform, the arcsine and powers; and the binomial tail for whole parameters.
    [
        (0.3, 1, 1, 0.3),
        (0.25, 0.5, 0.5, 2 / math.pi * math.asin(0.5)),
        (0.7, 5, 1, 0.7**5),
        (0.5, 40, 40, 0.5),
        (0.6, 3, 2, sum(math.comb(4, k) * 0.6**k * 0.4 ** (4 - k) for k in range(3, 5))),
        (0.0, 3, 2, 0),
        (1.0, 3, 2, 1),
    ],
)
def test_the_beta_distribution_is_right_where_it_is_known(x: float, alpha: float, beta: float, below: float) -> None:
    assert beta_below(x, alpha, beta) == pytest.approx(below, abs=1e-9)


@given(st.integers(1, 200), st.integers(1, 200), st.floats(0.01, 0.99))
def test_the_beta_distribution_is_the_binomial_s_tail(alpha: int, beta: int, x: float) -> None:
    n = alpha + beta - 1
    tail = math.fsum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(alpha, n + 1))

    assert beta_below(x, alpha, beta) == pytest.approx(tail, abs=1e-8)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.5, 0.99))
def test_the_lower_bound_leaves_that_much_above_it(of: int, missed: int, confidence: float) -> None:
    bound = lower_bound(Share(of, of + missed), confidence=confidence, prior=Share(1, 2))

    assert 1 - beta_below(bound, 1 + of, 1 + missed) == pytest.approx(confidence, abs=1e-6)


@given(st.lists(st.floats(0.001, 86_400), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_within_five_percent(durations: list[float], share: float) -> None:
    exact = sorted(durations)[max(0, math.ceil(share * len(durations) - 1e-9) - 1)]

    assert sketch_of(durations).quantile(share) == pytest.approx(exact, rel=0.0501)


@given(st.lists(st.floats(0.01, 1_000)), st.lists(st.floats(0.01, 1_000)))
def test_sketches_of_two_workers_add_up_to_the_sketch_of_all(one: list[float], other: list[float]) -> None:
    assert (
        merged(sketch_of(one), sketch_of(other)) == merged(sketch_of(other), sketch_of(one)) == sketch_of(one + other)
    )


def test_a_sketch_is_stored_and_read_and_fades() -> None:
    made = sketch_of([1.0, 2.0, 2.0, 30.0])

    assert sketch.of_text(sketch.to_text(made)) == made
    assert made.faded(0.5).total == pytest.approx(2)
    assert made.faded(0.001) == Sketch()
    assert Sketch().quantile(0.5) is None


@pytest.mark.parametrize(("usual_s", "wait_s"), [(0.5, 8), (12, 13), (300, 30)])
def test_the_receipt_s_wait_is_what_nearly_all_take_within_bounds(usual_s: float, wait_s: int) -> None:
    learnt = receipt_wait_s(sketch_of([usual_s] * 100), accepted=100, default_s=10)

    assert learnt == pytest.approx(wait_s, abs=1)
    assert 8 <= learnt <= 30


def test_where_receipts_are_not_normal_their_absence_says_nothing() -> None:
    assert receipt_wait_s(sketch_of([2.0] * 70), accepted=100, default_s=10) == 0


def test_until_enough_is_learnt_the_default_holds() -> None:
    assert receipt_wait_s(sketch_of([2.0] * 39), accepted=39, default_s=11) == 11
    assert verify_wait_s(sketch_of([2.0] * 39), default_s=33) == 33


@pytest.mark.parametrize(("usual_s", "wait_s"), [(5, 20), (40, 41), (500, 60)])
def test_the_code_s_wait_is_what_most_take_within_bounds(usual_s: float, wait_s: int) -> None:
    assert verify_wait_s(sketch_of([usual_s] * 100), default_s=30) == pytest.approx(wait_s, abs=2)
