"""What is due for a number: in order, once, and whatever was missed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import new_id
from domain.routing import LeaseFacts, NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.lease_life import BY_HAND, ORDERED, RENEW_AHEAD, Due, Step, ask_again_s, next_due

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
_S = NumberState


def a_number(state: NumberState = _S.LEASED, **changes: Any) -> NumberFacts:
    values: dict[str, Any] = {"state_reason": None, "state_until": None, "due_at": None}
    return NumberFacts(
        id=new_id(),
        environment=Environment.SANDBOX,
        country="GB",
        sender="+447700900200",
        sender_type="long_code",
        carrier="alpha",
        region="eu",
        capabilities=frozenset({"sms"}),
        price_micros=1,
        monthly_micros=1,
        currency="EUR",
        state=state,
        account_id=None,
        relapses=0,
        changed_at=NOW,
        **{**values, **changes},
    )


def a_lease(*, left: timedelta, is_renewed: bool = False, days: int = 30, **changes: Any) -> LeaseFacts:
    return LeaseFacts(
        id=new_id(),
        number_id=new_id(),
        account_id=new_id(),
        environment=Environment.SANDBOX,
        period_days=days,
        price_micros=1,
        currency="EUR",
        is_renewed=is_renewed,
        started_at=NOW + left - days * DAY,
        expires_at=NOW + left,
        ended_at=None,
        end_reason=None,
        **changes,
    )


def due(number: NumberFacts, lease: LeaseFacts | None = None, *, may_renew: bool = True) -> Due | None:
    return next_due(number, lease, now=NOW, may_renew=may_renew)


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (a_number(_S.RESERVED, state_until=NOW), Step.LAPSE),
        (a_number(_S.PROVISIONING), Step.ORDER),
        (a_number(_S.PROVISIONING, state_reason=ORDERED), Step.LOOK),
        (a_number(_S.REGISTERING), Step.REGISTER),
        (a_number(_S.DRAINING, state_until=NOW), Step.REST),
        (a_number(_S.AGING, state_until=NOW), Step.RETURN),
        (a_number(_S.RELEASING, state_reason=ORDERED), Step.GIVE_BACK),
        (a_number(_S.QUARANTINED, state_reason=BY_HAND, state_until=NOW), Step.RESTORE),
    ],
)
def test_each_state_has_its_step(number: NumberFacts, step: Step) -> None:
    found = due(number)

    assert found is not None
    assert (found.step, found.at) == (step, NOW)


@pytest.mark.parametrize(
    "number",
    [
        a_number(_S.RETIRED),
        a_number(_S.AVAILABLE),
        a_number(_S.QUARANTINED, state_reason="sender_blocked", state_until=NOW),
    ],
)
def test_what_nobody_leases_and_what_comes_back_through_probes_has_nothing_ahead(number: NumberFacts) -> None:
    assert due(number) is None


def test_a_lease_that_is_renewed_is_renewed_ahead_and_never_ends() -> None:
    lease = a_lease(left=10 * DAY, is_renewed=True)
    late = a_lease(left=-5 * DAY, is_renewed=True)

    assert due(a_number(), lease) == Due(step=Step.RENEW, at=lease.expires_at - RENEW_AHEAD)
    assert due(a_number(), late) == Due(step=Step.RENEW, at=late.expires_at - RENEW_AHEAD)
    short = a_lease(left=DAY, is_renewed=True, days=1)
    assert due(a_number(), short) == Due(step=Step.RENEW, at=short.expires_at - DAY / 2)


def test_an_account_that_may_not_renew_is_warned_and_its_lease_ends() -> None:
    lease = a_lease(left=10 * DAY, is_renewed=True)

    assert due(a_number(), lease, may_renew=False) == Due(step=Step.WARN, at=lease.expires_at - 7 * DAY, days=7)


@pytest.mark.parametrize(
    ("left", "warned", "step", "days"),
    [
        (8 * DAY, None, Step.WARN, 7),
        (6 * DAY, None, Step.WARN, 7),
        (6 * DAY, 7, Step.WARN, 1),
        (DAY / 2, 7, Step.WARN, 1),
        (DAY / 2, None, Step.WARN, 1),
        (DAY / 2, 1, Step.EXPIRE, 0),
        (-DAY, None, Step.EXPIRE, 0),
    ],
)
def test_a_lease_that_ends_is_warned_of_twice_and_of_what_was_missed_once(
    left: timedelta, warned: int | None, step: Step, days: int
) -> None:
    found = due(a_number(), a_lease(left=left, warned_days=warned))

    assert found is not None
    assert (found.step, found.days) == (step, days)


def test_a_short_lease_is_not_warned_of_before_it_began() -> None:
    assert due(a_number(), a_lease(left=DAY, days=1)) == Due(step=Step.EXPIRE, at=NOW + DAY)
    week = due(a_number(), a_lease(left=6 * DAY, days=7))
    assert week is not None
    assert (week.step, week.days) == (Step.WARN, 1)


def test_a_quarantine_and_a_lease_each_come_in_their_turn() -> None:
    aside = a_number(_S.QUARANTINED, state_reason=BY_HAND, state_until=NOW + DAY)

    first, second = due(aside, a_lease(left=30 * DAY)), due(aside, a_lease(left=DAY / 2, warned_days=1))

    assert first is not None
    assert first.step is Step.RESTORE
    assert second is not None
    assert second.step is Step.EXPIRE


_LEASES = st.builds(
    a_lease,
    left=st.integers(-2_000, 20_000).map(lambda hours: timedelta(hours=hours)),
    days=st.integers(1, 365),
    is_renewed=st.booleans(),
    warned_days=st.sampled_from([None, 7, 1]),
)


@given(lease=_LEASES)
def test_a_lease_always_has_something_ahead_so_that_none_is_without_an_end(lease: LeaseFacts) -> None:
    found = due(a_number(), lease)

    assert found is not None
    assert found.at <= lease.expires_at


@given(st.floats(0, 10_000_000))
def test_a_carrier_is_asked_again_soon_at_first_and_half_an_hour_later_at_most(asked_for_s: float) -> None:
    wait = ask_again_s(since=NOW - timedelta(seconds=asked_for_s), now=NOW)

    assert 1 <= wait <= 1_800
    assert wait <= max(1, asked_for_s)
