"""Which route first, which one next, when to wait and when to give up."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from domain.messages import FailOverCause
from domain.statuses import AttemptStatus, FailureClass
from rules.routing.catalog import Catalog, Policy, Route, SenderType, catalog_of
from rules.routing.failover import (
    LEASE_LOST_CODE,
    MAX_ATTEMPTS_PER_SEND,
    MAX_LOSSES_PER_SENDER,
    MAX_PLANS_PER_SEND,
    REGION_SILENT_CODE,
    Choice,
    GiveUp,
    Tried,
    Wait,
    after_failure,
    first_route,
)
from runtime.settings import reference


def a_route(carrier: str, *, pool: str = "GB", sender_type: SenderType = SenderType.LONG_CODE, **changes: Any) -> Route:
    values = {"region": "eu" if pool == "GB" else "na", "sender": f"{carrier}-{pool}", "receipt_wait_s": 8}
    return Route(pool_country=pool, carrier=carrier, sender_type=sender_type, **{**values, **changes})


A, B, C, D = a_route("a"), a_route("b"), a_route("c", pool="US"), a_route("d", pool="US")
ROUTES = [A, B, C, D]


def tried(route: Route, status: AttemptStatus = AttemptStatus.REJECTED, *, send: int = 1, **more: Any) -> Tried:
    values = {"failure_class": None if status is AttemptStatus.ACCEPTED else FailureClass.ROUTE_TEMPORARY}
    return Tried(
        send=send,
        carrier=route.carrier,
        region=route.region,
        pool_country=route.pool_country,
        sender=route.sender,
        sender_type=route.sender_type,
        status=status,
        **{**values, **more},
    )


def chosen(step: Choice | Wait | GiveUp | None) -> Route:
    assert isinstance(step, Choice)
    return step.route


def after(*attempts: Tried, routes: list[Route] | None = None, cause: FailOverCause = FailOverCause.SUBMISSION) -> Any:
    return after_failure(ROUTES if routes is None else routes, attempts, cause=cause)


def a_catalog(*routes: Route, **policies: Policy) -> Catalog:
    return Catalog(
        routes=routes,
        policies=policies,
        everywhere_else=Policy("GB", ("US",)),
        alphanumeric_rules={"GB": "allowed", "FR": "allowed_operator_dependent", "US": "forbidden", "IN": "register"},
    )


def test_the_primary_pool_comes_first_and_the_backups_after_it_each_in_order() -> None:
    catalog = a_catalog(C, A, D, B, US=Policy("US", ("GB",)))

    assert catalog.routes_to("GB") == [A, B, C, D]
    assert catalog.routes_to("US") == [C, D, A, B]
    assert catalog.routes_to("JP") == [A, B, C, D]


def test_a_pool_that_is_no_backup_is_not_used() -> None:
    assert a_catalog(A, C, CA=Policy("US")).routes_to("CA") == [C]
    assert a_catalog(A, CA=Policy("US")).routes_to("CA") == []


@pytest.mark.parametrize(
    ("country", "is_used"), [("GB", True), ("FR", True), ("US", False), ("IN", False), ("XX", False)]
)
def test_a_name_as_sender_is_used_only_where_the_country_allows_it(country: str, *, is_used: bool) -> None:
    name = a_route("a", sender="ACME", sender_type=SenderType.ALPHANUMERIC)

    assert a_catalog(name, A).routes_to(country) == [name if is_used else A]


def test_a_carrier_appears_once_in_a_pool() -> None:
    second = a_route("a", sender="second")

    assert a_catalog(A, second, B).routes_to("GB") == [A, B]


def test_carriers_and_regions_are_told_once_each() -> None:
    catalog = a_catalog(C, A, D, B, a_route("a", pool="US"))

    assert catalog.carriers == ("c", "a", "d", "b")
    assert catalog.regions == ("eu", "na")


def test_the_shipped_catalog_has_three_carriers_in_two_countries_pools() -> None:
    catalog = catalog_of(reference("routes.json"), reference("country_rules.json")["countries"])

    assert len(catalog.carriers) >= 3
    assert len({route.pool_country for route in catalog.routes}) >= 2
    assert [route.carrier for route in catalog.routes_to("GB")] == ["alpha", "bravo", "charlie", "delta"]
    assert [route.carrier for route in catalog.routes_to("US")] == ["charlie", "delta", "bravo", "alpha"]
    assert [r.sender_type for r in catalog.routes_to("US") if r.sender_type is SenderType.ALPHANUMERIC] == []


@pytest.mark.parametrize("broken", [{"senders": [{}]}, {"senders": [], "policies": {"GB": {}}}])
def test_data_that_lack_a_field_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        catalog_of({**reference("routes.json"), **broken}, [])


def test_the_first_message_takes_the_first_route() -> None:
    assert first_route(ROUTES, []) == Choice(route=A, reason="first route of pool GB")


def test_without_routes_there_is_none() -> None:
    assert first_route([], []) is None


def test_a_resend_takes_a_carrier_not_tried_before() -> None:
    step = first_route(ROUTES, [tried(A, AttemptStatus.ACCEPTED)])

    assert chosen(step) == B


def test_a_resend_takes_the_least_tried_when_all_were() -> None:
    attempts = [tried(route, AttemptStatus.ACCEPTED, send=at) for at, route in enumerate([A, B, C, D, A])]

    assert chosen(first_route(ROUTES, attempts)) == B


def test_a_resend_takes_a_route_that_did_not_do_rather_than_none() -> None:
    blocked = tried(A, failure_class=FailureClass.BLOCKED_CONTENT)

    assert chosen(first_route([A], [blocked])) == A


@pytest.mark.parametrize(
    "failure",
    [
        FailureClass.ROUTE_TEMPORARY,
        FailureClass.THROTTLED,
        FailureClass.UNKNOWN,
        FailureClass.ACCOUNT,
        FailureClass.RECIPIENT_TEMPORARY,
        FailureClass.EXPIRED,
    ],
)
def test_after_a_failure_of_the_route_the_next_in_the_pool_is_tried(failure: FailureClass) -> None:
    step = after(tried(A, failure_class=failure))

    assert chosen(step) == B
    assert step.reason == f"a answered rejected ({failure}): next in pool GB"


def test_after_the_pool_the_backup_s_pool_is_tried() -> None:
    step = after(tried(A), tried(B))

    assert chosen(step) == C
    assert step.reason.endswith("backup pool US")


def test_a_message_is_tried_three_times_and_no_more() -> None:
    step = after(tried(A), tried(B), tried(C))

    assert MAX_ATTEMPTS_PER_SEND == 3
    assert step == GiveUp(reason="no_route_left")


def test_the_three_attempts_are_counted_per_message_asked_for() -> None:
    step = after(tried(A), tried(B), tried(C), tried(D, send=2))

    assert isinstance(step, Choice)


@pytest.mark.parametrize("failure", [FailureClass.RECIPIENT_PERMANENT, FailureClass.OPTED_OUT])
def test_a_hopeless_recipient_ends_it_at_once(failure: FailureClass) -> None:
    assert after(tried(A, failure_class=failure)) == GiveUp(reason=failure.value)


def test_blocked_content_is_tried_from_another_kind_of_sender_only() -> None:
    short = a_route("b", sender="12345", sender_type=SenderType.SHORT_CODE)
    blocked = tried(A, failure_class=FailureClass.BLOCKED_CONTENT)

    assert chosen(after(blocked, routes=[A, C, short])) == short
    assert after(blocked, routes=[A, C, D]) == GiveUp(reason="no_route_left")


def test_a_blocked_sender_is_not_used_again_but_its_carrier_is_with_another() -> None:
    other_sender = a_route("a", pool="US", sender="other")
    same_sender = a_route("a", pool="US", sender=A.sender)
    blocked = tried(A, failure_class=FailureClass.BLOCKED_SENDER)

    assert chosen(after(blocked, routes=[A, other_sender])) == other_sender
    assert after(blocked, routes=[A, same_sender]) == GiveUp(reason="no_route_left")


def test_a_region_without_workers_rules_out_all_its_routes() -> None:
    silent = tried(A, carrier_code=REGION_SILENT_CODE)

    step = after(silent, cause=FailOverCause.REGION_SILENT)

    assert chosen(step) == C
    assert step.reason == "no worker in region eu took the message for a: backup pool US"


def test_what_one_attempt_ruled_out_stays_so_for_the_next() -> None:
    step = after(tried(A, carrier_code=REGION_SILENT_CODE), tried(C))

    assert chosen(step) == D


@pytest.mark.parametrize(
    "status", [AttemptStatus.ACCEPTED, AttemptStatus.UNKNOWN, AttemptStatus.SUBMITTING, AttemptStatus.DELIVERED]
)
def test_without_a_further_route_one_waits_if_a_message_may_have_arrived(status: AttemptStatus) -> None:
    step = after(tried(A, status), tried(B), routes=[A, B])

    assert isinstance(step, Wait)


@pytest.mark.parametrize(
    "status", [AttemptStatus.REJECTED, AttemptStatus.THROTTLED, AttemptStatus.UNDELIVERED, AttemptStatus.EXPIRED]
)
def test_without_a_further_route_one_gives_up_if_no_message_can_have_arrived(status: AttemptStatus) -> None:
    assert after(tried(A, status), routes=[A]) == GiveUp(reason="no_route_left")


def test_a_receipt_that_came_in_time_after_all_ends_the_fail_over() -> None:
    step = after(tried(A, AttemptStatus.DELIVERED, failure_class=None), cause=FailOverCause.NO_RECEIPT)

    assert step == Wait(reason="a reported the message delivered")


@pytest.mark.parametrize(
    ("cause", "status", "told"),
    [
        (FailOverCause.NO_RECEIPT, AttemptStatus.ACCEPTED, "no receipt from a in time"),
        (FailOverCause.BAD_RECEIPT, AttemptStatus.UNDELIVERED, "a reported undelivered (route_temporary)"),
        (FailOverCause.SUBMISSION, AttemptStatus.THROTTLED, "a answered throttled (route_temporary)"),
    ],
)
def test_the_reason_says_what_was_seen(cause: FailOverCause, status: AttemptStatus, told: str) -> None:
    assert after(tried(A, status), cause=cause).reason == f"{told}: next in pool GB"


def test_every_cause_has_a_reason() -> None:
    for cause, status in itertools.product(FailOverCause, AttemptStatus):
        assert after(tried(A, status), cause=cause).reason


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_choice_does_not_depend_on_the_order_of_earlier_attempts(count: int) -> None:
    last = tried(B, failure_class=FailureClass.BLOCKED_SENDER)
    earlier = [tried(A), tried(C, carrier_code=REGION_SILENT_CODE, send=2), tried(D, send=3)][:count]

    steps = {str(after(*order, last)) for order in itertools.permutations(earlier)}

    assert len(steps) == 1


def test_a_route_is_never_chosen_twice_for_one_message() -> None:
    for statuses in itertools.product(
        [AttemptStatus.REJECTED, AttemptStatus.UNKNOWN, AttemptStatus.THROTTLED], repeat=3
    ):
        attempts: list[Tried] = []
        step: Any = first_route(ROUTES, [])
        for status in statuses:
            attempts.append(tried(chosen(step), status))
            step = after(*attempts)
        assert len({(each.carrier, each.pool_country) for each in attempts}) == 3
        assert not isinstance(step, Choice)


def test_where_every_region_was_silent_the_least_tried_is_tried_again() -> None:
    silent = [tried(route, carrier_code=REGION_SILENT_CODE) for route in (A, C)]

    again = after(*silent, cause=FailOverCause.REGION_SILENT)
    and_again = after(*silent, silent[0], cause=FailOverCause.REGION_SILENT)

    assert chosen(again) == A
    assert chosen(and_again) == C


def test_silent_regions_are_not_tried_for_ever() -> None:
    silent = [tried(A, carrier_code=REGION_SILENT_CODE)] * MAX_PLANS_PER_SEND

    assert after(*silent, cause=FailOverCause.REGION_SILENT) == GiveUp(reason="no_route_left")


def test_a_message_that_loses_its_number_as_often_as_there_are_numbers_is_not_given_up() -> None:
    lost = [tried(replace(A, sender=f"n{at}"), carrier_code=LEASE_LOST_CODE) for at in range(4 * MAX_PLANS_PER_SEND)]

    assert chosen(after(*lost)) == A


def test_a_number_that_was_taken_away_twice_is_not_chosen_a_third_time() -> None:
    lost = [tried(A, carrier_code=LEASE_LOST_CODE)] * MAX_LOSSES_PER_SENDER

    assert chosen(after(*lost, routes=[A, B])) == B
    assert after(*lost, routes=[A]) == GiveUp(reason="no_route_left")
