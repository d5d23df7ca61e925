"""What outcomes teach of how long a receipt is awaited."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import new_id
from domain.statuses import Environment
from rules.routing.learning import Health, Outcome, learnt

BEGAN = datetime(2026, 11, 24, tzinfo=UTC)
NUMBER = new_id()


def after(health: Health, *, outcomes: int, is_proved: bool, receipt_s: float | None) -> Health:
    for number in range(outcomes):
        outcome = Outcome(
            environment=Environment.PRODUCTION,
            country="GB",
            group="alpha/GB/long_code/sms",
            number_id=NUMBER,
            planned_at=BEGAN + timedelta(seconds=number),
            at=BEGAN + timedelta(seconds=number),
            is_proved=is_proved,
            is_receipt_known=True,
            receipt_s=receipt_s,
        )
        health = learnt(health, outcome, number=number)
    return health


@pytest.mark.parametrize(("is_proved", "wait_s"), [(False, 10), (True, 0)])
def test_receipts_that_stay_away_are_awaited_no_longer_only_where_codes_still_come(
    *, is_proved: bool, wait_s: int
) -> None:
    well = after(Health(), outcomes=200, is_proved=True, receipt_s=9.5)

    now = after(well, outcomes=60, is_proved=is_proved, receipt_s=None)

    assert well.receipt_wait_s == 10
    assert now.receipt_wait_s == wait_s


@pytest.mark.parametrize("tens", [3, 5, 7, 12])
def test_a_route_with_little_traffic_that_loses_everything_has_its_receipts_awaited_all_the_while(tens: int) -> None:
    health = Health()
    for _ in range(tens):
        health = after(health, outcomes=6, is_proved=True, receipt_s=9.5)
        health = after(health, outcomes=4, is_proved=False, receipt_s=9.5)
    waits = set()

    for _ in range(150):
        health = after(health, outcomes=1, is_proved=False, receipt_s=None)
        waits.add(health.receipt_wait_s)

    # None is not learnt yet: then the carrier's own wait holds.
    assert waits <= {None, 10}
