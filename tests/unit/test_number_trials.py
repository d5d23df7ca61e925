"""A number on trial gets two messages in a hundred of its group's, and none of another's."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import new_id
from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import Channel
from rules.routing.explanation import Before, choose, replay
from rules.routing.health import PROBE_SHARE
from rules.routing.outlook import EVERY_TYPE, Outlook, Sender, candidates_of, situation_of
from tests.unit.test_route_choice import NOW, a_candidate

ACCOUNT = new_id()
TRIED = "+447700900009"


def an_outlook(*senders: Sender) -> Outlook:
    return Outlook(
        country="GB",
        senders=senders,
        sender_types=EVERY_TYPE,
        carriers=frozenset({"a", "b"}),
        regions=frozenset({"eu"}),
    )


def taken(outlook: Outlook, *, mode: Mode, seed: int, last_sender: str | None = None) -> str:
    policy = RoutePolicyFacts(country="GB", is_allowed=True, primary_pool="GB", mode=mode)
    decision = choose(
        candidates_of(outlook, policy, account_id=ACCOUNT, now=NOW, seed=seed),
        situation_of(outlook, policy, channel=Channel.SMS, now=NOW),
        Before(tries={}, recipient="0" * 32, last_sender=last_sender),
        mode=mode,
        seed=seed,
        chance=Random(seed),
    )
    assert decision.candidate is not None
    assert replay(decision.explanation, chance=Random(seed)) == decision.candidate.id
    return decision.candidate.route.sender


def well(sender: str, carrier: str = "a") -> Sender:
    return Sender(candidate=a_candidate(carrier, sender=sender))


def on_trial(carrier: str = "a") -> Sender:
    return replace(well(TRIED, carrier), is_on_trial=True)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("last_sender", [None, "+447700900001", TRIED])
def test_it_gets_two_in_a_hundred_whoever_wrote_last(mode: Mode, last_sender: str | None) -> None:
    outlook = an_outlook(well("+447700900001"), well("+447700900002"), on_trial())

    got = [taken(outlook, mode=mode, seed=seed, last_sender=last_sender) for seed in range(1_000)]

    assert got.count(TRIED) == 1_000 * PROBE_SHARE


def test_it_takes_nothing_from_routes_that_go_before_its_own() -> None:
    outlook = an_outlook(
        well("+447700900001"),
        Sender(candidate=a_candidate("b", sender="+447700900002", price_micros=49_000)),
        replace(on_trial("b"), candidate=a_candidate("b", sender=TRIED, price_micros=49_000)),
    )

    got = [taken(outlook, mode=Mode.ORDERED, seed=seed) for seed in range(1_000)]

    assert got.count(TRIED) == 0


@given(trials=st.integers(1, 5), seed=st.integers(0, 2**48 - 1))
def test_however_many_are_tried_their_messages_are_of_the_same_few(trials: int, seed: int) -> None:
    several = [replace(on_trial(), candidate=a_candidate(sender=f"+44770090001{at}")) for at in range(trials)]

    is_tried = taken(an_outlook(well("+447700900001"), *several), mode=Mode.ORDERED, seed=seed) != "+447700900001"

    assert is_tried == (seed % 50 == 1)


def test_where_there_is_no_other_it_is_the_least_bad() -> None:
    outlook = an_outlook(on_trial())

    assert {taken(outlook, mode=Mode.ADAPTIVE, seed=seed) for seed in range(10)} == {TRIED}


def test_a_number_that_another_account_has_alone_is_not_even_told() -> None:
    own, others = replace(well("+447700900001"), holder=ACCOUNT), replace(well("+447700900002"), holder=new_id())
    policy = RoutePolicyFacts(country="GB", is_allowed=True, primary_pool="GB")

    found = candidates_of(an_outlook(own, others), policy, account_id=ACCOUNT, now=NOW, seed=0)

    assert [each.route.sender for each in found] == ["+447700900001"]
