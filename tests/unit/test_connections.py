"""What an answer says of the connection that it came over, or did not come over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.routing import RoutePolicyFacts
from domain.statuses import FailureClass, SubmissionStatus
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.connections import is_of_the_connection
from rules.routing.outlook import candidates_of
from tests.unit.test_number_trials import ACCOUNT, an_outlook, well
from tests.unit.test_route_choice import NOW

_REJECTED = SubmissionStatus.REJECTED


@pytest.mark.parametrize(
    ("status", "failure_class", "code", "is_so"),
    [
        (SubmissionStatus.UNKNOWN, FailureClass.UNKNOWN, "timeout", True),
        (_REJECTED, FailureClass.ROUTE_TEMPORARY, "unreachable", True),
        (_REJECTED, FailureClass.ROUTE_TEMPORARY, "no_connection_free", True),
        (_REJECTED, FailureClass.ACCOUNT, "20003", True),
        (_REJECTED, FailureClass.ROUTE_TEMPORARY, "refused", False),
        (_REJECTED, FailureClass.RECIPIENT_PERMANENT, "unknown_subscriber", False),
        (SubmissionStatus.THROTTLED, FailureClass.THROTTLED, "throttled", False),
        (SubmissionStatus.ACCEPTED, None, None, False),
    ],
)
def test_only_what_never_came_over_it_or_will_not_speaks_against_a_connection(
    status: SubmissionStatus, failure_class: FailureClass | None, code: str | None, *, is_so: bool
) -> None:
    assert is_of_the_connection(status, failure_class, code) is is_so


DUE = Breaker(state=BreakerState.OPEN, probe_at=NOW)
LATER = Breaker(state=BreakerState.HALF_OPEN, probe_at=NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("breaker", "connection", "is_open", "probes"),
    [
        (Breaker(), Breaker(), False, False),
        (DUE, Breaker(), True, True),
        (Breaker(), DUE, True, True),
        (DUE, DUE, True, True),
        (LATER, DUE, True, False),
        (DUE, LATER, True, False),
    ],
)
def test_a_message_is_a_probe_where_each_breaker_that_is_open_has_one_due(
    breaker: Breaker, connection: Breaker, *, is_open: bool, probes: bool
) -> None:
    sender = replace(well("+447700900001"), breaker=breaker, connection=connection)
    policy = RoutePolicyFacts(country="GB", is_allowed=True, primary_pool="GB")

    (candidate,) = candidates_of(an_outlook(sender), policy, account_id=ACCOUNT, now=NOW, seed=7)

    assert (candidate.is_breaker_open, candidate.probes) == (is_open, probes)
