"""What is decided of routes, and what of that is news for which nobody waits until the clock says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.routing.breaker import Breaker, BreakerState
from rules.routing.learning import Health
from rules.routing.proportions import Share
from rules.routing.verdicts import TOLD_AT_MOST_EVERY_S, Decided, alarm_of, is_news

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WELL = Health(baseline=Share(850, 1000), recent="p" * 60)
OPEN = Breaker(state=BreakerState.OPEN, run_began_at=NOW - timedelta(seconds=4), probe_at=NOW, probes_lost=2)


def told(breaker: Breaker, *, ago_s: float) -> Health:
    return Health(breaker=breaker, breaker_told_at=NOW - timedelta(seconds=ago_s))


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN])
def test_a_breaker_that_opened_is_told_of_once_with_how_long_it_fails(state: BreakerState) -> None:
    verdict = alarm_of(Health(breaker=replace(OPEN, state=state)), now=NOW)

    assert verdict is not None
    assert (verdict.decided, verdict.reason) == (Decided.BREAKER_OPENED, "breaker_open")
    assert verdict.evidence == {"failing_for_s": 4, "probes_lost": 2}
    assert alarm_of(verdict.health, now=NOW + timedelta(hours=1)) is None


def test_one_that_comes_and_goes_is_told_of_at_most_once_a_minute() -> None:
    closed = alarm_of(told(Breaker(), ago_s=TOLD_AT_MOST_EVERY_S), now=NOW)

    assert alarm_of(told(Breaker(), ago_s=TOLD_AT_MOST_EVERY_S - 1), now=NOW) is None
    assert closed is not None
    assert (closed.decided, closed.health.breaker_told_at) == (Decided.BREAKER_CLOSED, None)


def test_a_breaker_that_was_not_told_of_is_not_told_to_have_closed() -> None:
    assert alarm_of(Health(), now=NOW) is None


@pytest.mark.parametrize(
    ("before", "after", "is_so"),
    [
        (WELL, replace(WELL, breaker=OPEN), True),
        (replace(WELL, breaker=OPEN), WELL, True),
        (replace(WELL, breaker=OPEN), replace(WELL, breaker=replace(OPEN, state=BreakerState.HALF_OPEN)), False),
        (WELL, replace(WELL, recent="f" * 60), True),
        (WELL, replace(WELL, recent="p" * 55 + "f" * 5), False),
    ],
)
def test_a_breaker_that_moved_and_a_fall_are_news_and_nothing_else(
    before: Health, after: Health, *, is_so: bool
) -> None:
    assert is_news(before, after, now=NOW) is is_so
