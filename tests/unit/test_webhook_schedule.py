"""When a webhook is tried again, and when an endpoint is left in peace."""

from hypothesis import given
from hypothesis import strategies as st

from rules.webhooks.schedule import (
    DISABLED_AFTER_S,
    DOWN_AFTER,
    FULL_PACE,
    MOST_THROTTLED_S,
    PROBE_EVERY_S,
    THROTTLED_S,
    WAITS_S,
    DisabledReason,
    EndpointState,
    Outcome,
    after_tries,
    next_try_s,
)

OK, BROKEN, SILENT = Outcome(status=200), Outcome(status=500), Outcome(status=None)


def test_the_schedule_is_the_published_one_in_the_middle_of_its_spread() -> None:
    assert [next_try_s(tries, chance=0.5) for tries in range(1, 11)] == [
        5.0,
        300.0,
        1_800.0,
        7_200.0,
        18_000.0,
        36_000.0,
        50_400.0,
        72_000.0,
        86_400.0,
        None,
    ]


@given(tries=st.integers(1, len(WAITS_S)), chance=st.floats(0, 1, exclude_max=True))
def test_retries_are_spread_by_a_fifth_and_no_more(tries: int, chance: float) -> None:
    wait_s = next_try_s(tries, chance=chance)

    assert wait_s is not None
    assert 0.8 * WAITS_S[tries - 1] <= wait_s <= 1.2 * WAITS_S[tries - 1]


def test_nobody_is_tried_again_before_it_asked_to_be() -> None:
    assert next_try_s(1, chance=0.5, retry_after_s=120) == 120
    assert next_try_s(1, chance=0.5, retry_after_s=10**6) == MOST_THROTTLED_S
    assert next_try_s(2, chance=0.5, retry_after_s=1) == 300


def test_several_failures_in_a_row_and_only_probes_go_out_until_the_first_success() -> None:
    down = after_tries(EndpointState(), [BROKEN] * DOWN_AFTER)
    back = after_tries(down, [OK])

    assert (down.is_down, down.probe_in_s) == (True, PROBE_EVERY_S)
    assert (back.is_down, back.failures, back.probe_in_s, back.failing_for_s) == (False, 0, None, None)


def test_an_event_that_cannot_be_digested_among_others_that_can_takes_nobody_down() -> None:
    state = EndpointState()

    for _ in range(50):
        state = after_tries(state, [BROKEN, OK, OK])

    assert not state.is_down


def test_an_endpoint_that_fails_rarely_but_for_minutes_is_down_too() -> None:
    assert after_tries(EndpointState(failures=1, failing_for_s=PROBE_EVERY_S), [SILENT]).is_down


def test_a_redirect_is_a_failure() -> None:
    assert not Outcome(status=302).is_success
    assert after_tries(EndpointState(), [Outcome(status=302)]).failures == 1


def test_gone_disables_at_once_and_five_days_of_failure_do() -> None:
    failing = EndpointState(failures=9, failing_for_s=DISABLED_AFTER_S)

    assert after_tries(EndpointState(), [Outcome(status=410)]).disabled is DisabledReason.GONE
    assert after_tries(failing, [BROKEN]).disabled is DisabledReason.FAILING
    assert after_tries(failing, [OK]).disabled is None


def test_who_asks_for_fewer_gets_fewer_and_then_step_by_step_more() -> None:
    throttled = after_tries(EndpointState(), [Outcome(status=429, retry_after_s=7)])
    busy = after_tries(EndpointState(), [Outcome(status=503, retry_after_s=9)])
    gateway = after_tries(EndpointState(), [Outcome(status=502)])

    assert (throttled.quiet_for_s, throttled.pace) == (7.0, FULL_PACE // 2)
    assert busy.quiet_for_s == 9.0
    assert gateway.quiet_for_s == THROTTLED_S
    assert after_tries(throttled, [OK]).pace == FULL_PACE // 2 + 1
    assert after_tries(throttled, [OK] * 100).pace == FULL_PACE
    assert after_tries(EndpointState(), [Outcome(status=429)] * 20).pace == 1
