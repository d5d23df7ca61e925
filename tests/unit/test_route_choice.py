"""A route is chosen from what may be taken, by what is known of it, and the record makes the same choice again."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.routing import Mode
from domain.statuses import Channel
from rules.routing.candidates import Authorisation, Candidate, Situation
from rules.routing.catalog import Route, SenderType
from rules.routing.eligibility import Rule, broken_rules, eligible
from rules.routing.evidence import Evidence
from rules.routing.explanation import Before, Decision, choose, of_text, replay, replay_from_draws, to_text
from rules.routing.ranking import TOLERANCE, Entrant, rank

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SITUATION = Situation(
    country="GB",
    now=NOW,
    is_country_permitted=True,
    sender_types=frozenset({SenderType.LONG_CODE, SenderType.ALPHANUMERIC}),
    channels=frozenset({Channel.SMS}),
    carriers=frozenset({"a", "b", "c"}),
    regions=frozenset({"eu"}),
    ceiling_micros=50_000,
)
NEVER_TRIED = Before(tries={}, recipient="0" * 32)


def a_candidate(carrier: str = "a", *, sender: str = "+447700900001", **changes: Any) -> Candidate:
    route = Route(
        pool_country="GB",
        carrier=carrier,
        region="eu",
        sender=sender,
        sender_type=SenderType.LONG_CODE,
        receipt_wait_s=8,
    )
    values: dict[str, Any] = {"place": 0, "price_micros": 40_000, "authorisation": Authorisation(since=NOW)}
    return Candidate(route=route, **{**values, **changes})


def decide(candidates: list[Candidate], *, mode: Mode = Mode.ADAPTIVE, seed: int = 1, **before: Any) -> Decision:
    return choose(
        candidates, SITUATION, replace(NEVER_TRIED, **before), mode=mode, seed=seed, chance=random.Random(seed)
    )


def carrier_of(decision: Decision) -> str:
    assert decision.candidate is not None
    return decision.candidate.route.carrier


def entrant(name: str, **changes: Any) -> Entrant:
    values = {"group": name, "place": 0, "price_micros": 40_000, "alpha": 90.0, "beta": 10.0}
    return Entrant(id=name, **{**values, **changes})


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    def one(at: int) -> st.SearchStrategy[Candidate]:
        return st.builds(
            a_candidate,
            st.sampled_from(["a", "b", "c", "gone"]),
            sender=st.just(f"+44770090{at:04}"),
            place=st.integers(0, 3),
            price_micros=st.integers(30_000, 60_000),
            authorisation=st.sampled_from(
                [None, Authorisation(since=NOW), Authorisation(since=NOW - timedelta(days=2), until=NOW)]
            ),
            has_capacity=st.booleans(),
            is_breaker_open=st.booleans(),
            is_quarantined=st.booleans(),
            probes=st.booleans(),
            evidence=st.builds(Evidence, st.floats(0, 90), st.floats(0, 90)),
        )

    return [draw(one(at)) for at in range(draw(st.integers(0, 6)))]


def test_nothing_removes_a_route_that_is_allowed_and_well() -> None:
    assert broken_rules(a_candidate(), SITUATION) == ()


BREAKS: dict[Rule, tuple[dict[str, Any], dict[str, Any]]] = {
    Rule.COUNTRY_NOT_PERMITTED: ({}, {"is_country_permitted": False}),
    Rule.SENDER_NOT_AUTHORISED: ({"authorisation": None}, {}),
    Rule.SENDER_TYPE_NOT_ALLOWED: ({}, {"sender_types": frozenset({SenderType.SHORT_CODE})}),
    Rule.TEMPLATE_NOT_REGISTERED: ({"is_template_registered": False}, {}),
    Rule.CHANNEL_NOT_ALLOWED: ({}, {"channels": frozenset()}),
    Rule.CARRIER_NOT_CONFIGURED: ({}, {"carriers": frozenset({"b"})}),
    Rule.NUMBER_NOT_IN_SERVICE: ({"is_in_service": False}, {}),
    Rule.REGION_WITHOUT_WORKERS: ({}, {"regions": frozenset({"na"})}),
    Rule.PRICE_OVER_CEILING: ({"price_micros": 50_001}, {}),
    Rule.NO_CAPACITY: ({"has_capacity": False}, {}),
    Rule.BREAKER_OPEN: ({"is_breaker_open": True}, {}),
    Rule.QUARANTINED: ({"is_quarantined": True}, {}),
}


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_removes_what_it_is_about_and_nothing_else_does(rule: Rule) -> None:
    of_candidate, of_situation = BREAKS[rule]

    assert broken_rules(a_candidate(**of_candidate), replace(SITUATION, **of_situation)) == (rule,)


@pytest.mark.parametrize(
    ("since_h", "until_h", "is_authorised"), [(-1, None, True), (-1, 1, True), (1, None, False), (-2, -1, False)]
)
def test_an_authorisation_holds_between_its_moments(since_h: int, until_h: int | None, *, is_authorised: bool) -> None:
    until = None if until_h is None else NOW + timedelta(hours=until_h)
    authorisation = Authorisation(since=NOW + timedelta(hours=since_h), until=until)

    broken = broken_rules(a_candidate(authorisation=authorisation), SITUATION)

    assert (Rule.SENDER_NOT_AUTHORISED not in broken) is is_authorised


def test_an_authorisation_is_over_at_its_end() -> None:
    assert not Authorisation(since=NOW - timedelta(hours=1), until=NOW).covers(NOW)


def test_every_rule_that_removes_a_candidate_is_in_the_record() -> None:
    found = eligible([a_candidate(authorisation=None, is_breaker_open=True, price_micros=50_001)], SITUATION)

    assert found.candidates == ()
    assert found.removed[0].rules == (Rule.SENDER_NOT_AUTHORISED, Rule.PRICE_OVER_CEILING, Rule.BREAKER_OPEN)


def test_when_nothing_is_healthy_the_least_bad_is_taken_and_marked() -> None:
    decision = decide([a_candidate("a", is_quarantined=True), a_candidate("b", authorisation=None)])

    assert carrier_of(decision) == "a"
    assert decision.explanation.is_degraded


def test_while_something_is_healthy_nothing_unwell_is_taken() -> None:
    decision = decide([a_candidate("a", is_quarantined=True, price_micros=1), a_candidate("b")])

    assert carrier_of(decision) == "b"
    assert not decision.explanation.is_degraded
    assert [each.rules for each in decision.explanation.removed] == [(Rule.QUARANTINED,)]


def test_with_nothing_that_is_allowed_there_is_no_route() -> None:
    decision = decide([a_candidate(authorisation=None), a_candidate("b", has_capacity=False)])

    assert decision.candidate is None
    assert decision.explanation.taken is None
    assert replay(decision.explanation, chance=random.Random(1)) is None


def test_a_probe_goes_to_what_is_set_aside() -> None:
    well, away = a_candidate("a"), a_candidate("b", is_quarantined=True, probes=True, place=9)

    for mode in Mode:
        assert carrier_of(decide([well, away], mode=mode)) == ("a" if mode is Mode.ORDERED else "b")


def test_in_ordered_a_probe_goes_where_its_place_is() -> None:
    away, well = a_candidate("a", is_quarantined=True, probes=True), a_candidate("b", place=9)

    assert carrier_of(decide([well, away], mode=Mode.ORDERED)) == "a"


@given(candidates=candidate_lists(), mode=st.sampled_from(Mode), seed=st.integers(0, 2**31))
def test_what_may_not_be_taken_never_is(candidates: list[Candidate], mode: Mode, seed: int) -> None:
    decision = decide(candidates, mode=mode, seed=seed)

    taken = decision.candidate
    if taken is not None:
        broken = set(broken_rules(taken, SITUATION))
        assert broken <= {Rule.BREAKER_OPEN, Rule.QUARANTINED}
        assert not broken or decision.explanation.is_degraded
    else:
        assert all(set(broken_rules(each, SITUATION)) - {Rule.BREAKER_OPEN, Rule.QUARANTINED} for each in candidates)


@given(
    candidates=candidate_lists(),
    mode=st.sampled_from(Mode),
    seed=st.integers(0, 2**31),
    shuffler=st.randoms(use_true_random=False),
)
def test_the_order_in_which_candidates_are_given_does_not_matter(
    candidates: list[Candidate], mode: Mode, seed: int, shuffler: random.Random
) -> None:
    shuffled = shuffler.sample(candidates, len(candidates))

    assert decide(candidates, mode=mode, seed=seed) == decide(shuffled, mode=mode, seed=seed)


@given(candidates=candidate_lists(), mode=st.sampled_from(Mode), seed=st.integers(0, 2**31))
def test_what_is_stored_makes_the_same_choice_again(candidates: list[Candidate], mode: Mode, seed: int) -> None:
    made = decide(candidates, mode=mode, seed=seed, tries={"a": 1}).explanation

    read = of_text(to_text(made))

    assert read == made
    assert replay(read, chance=random.Random(read.seed)) == made.taken
    assert replay_from_draws(read) == made.taken


def test_another_seed_makes_another_choice_where_little_is_known() -> None:
    candidates = [a_candidate(carrier) for carrier in "abc"]

    chosen = {carrier_of(decide(candidates, seed=seed)) for seed in range(50)}

    assert chosen == {"a", "b", "c"}


def test_ordered_takes_the_account_s_order_whatever_is_known() -> None:
    routes = [
        a_candidate("a", place=2, evidence=Evidence(99)),
        a_candidate("b", place=1, evidence=Evidence(0, 99)),
        a_candidate("c", place=3),
    ]

    ranked = decide(routes, mode=Mode.ORDERED).explanation.ranked

    assert [each.entrant.id[0] for each in ranked] == ["b", "a", "c"]
    assert {each.score for each in ranked} == {None}


def test_a_carrier_that_was_tried_goes_last_in_every_mode() -> None:
    good, poor = a_candidate("a", evidence=Evidence(90)), a_candidate("b", place=1, evidence=Evidence(0, 90))

    for mode in Mode:
        assert carrier_of(decide([good, poor], mode=mode, tries={"a": 1})) == "b"
        assert carrier_of(decide([good, poor], mode=mode, tries={"a": 1, "b": 2})) == "a"


WELL_KNOWN = {"alpha": 8_800_000.0, "beta": 1_200_000.0}
ALMOST = {"alpha": 8_500_000.0, "beta": 1_500_000.0}
WORSE = {"alpha": 8_000_000.0, "beta": 2_000_000.0}


def first(*entrants: Entrant, mode: Mode) -> str:
    return rank(entrants, mode=mode, chance=random.Random(1))[0].entrant.id


def test_adaptive_takes_the_cheapest_of_those_that_convert_almost_as_well_as_the_best() -> None:
    best = entrant("best", price_micros=40_000, **WELL_KNOWN)
    almost = entrant("almost", price_micros=30_000, **ALMOST)
    worse = entrant("worse", price_micros=10_000, **WORSE)

    assert 0.85 > 0.88 * (1 - TOLERANCE) > 0.80
    assert first(best, almost, worse, mode=Mode.ADAPTIVE) == "almost"
    assert first(best, worse, mode=Mode.ADAPTIVE) == "best"
    assert first(best, almost, worse, mode=Mode.BEST) == "best"
    assert first(best, almost, worse, mode=Mode.CHEAPEST) == "worse"


def test_cheapest_counts_what_a_verified_code_costs_not_what_a_message_does() -> None:
    half_the_price = entrant("cheap", price_micros=20_000, alpha=3_000_000.0, beta=7_000_000.0)

    assert first(half_the_price, entrant("dear", **WELL_KNOWN), mode=Mode.CHEAPEST) == "dear"


def test_the_senders_of_a_group_share_one_draw() -> None:
    senders = [entrant(f"a{at}", group="a", affinity=at, alpha=1.0, beta=1.0) for at in range(9)]

    ranked = rank(senders, mode=Mode.ADAPTIVE, chance=random.Random(1))

    assert len({each.score for each in ranked}) == 1
    assert [each.entrant.id for each in ranked] == [each.id for each in senders]


def test_a_recipient_sees_the_sender_that_wrote_last() -> None:
    senders = [a_candidate(sender=f"+44770090{at:04}") for at in range(20)]

    for at in (3, 17):
        decision = decide(senders, last_sender=f"+44770090{at:04}")
        assert decision.candidate == senders[at]


def test_recipients_are_spread_over_a_pool_s_senders_each_always_to_the_same() -> None:
    senders = [a_candidate(sender=f"+44770090{at:04}") for at in range(4)]

    def sender(recipient: int, seed: int) -> str:
        candidate = decide(senders, recipient=f"{recipient:032x}", seed=seed).candidate
        assert candidate is not None
        return candidate.route.sender

    seen = [sender(recipient, 1) for recipient in range(200)]

    assert all(seen.count(each.route.sender) > 30 for each in senders)
    assert seen[:20] == [sender(recipient, 2) for recipient in range(20)]


def test_each_of_two_equal_routes_is_taken_half_of_the_time() -> None:
    """Thompson sampling takes a route as often as it is the best one."""
    pair = [entrant("a", alpha=20.0, beta=10.0), entrant("b", alpha=20.0, beta=10.0)]

    taken = [rank(pair, mode=Mode.BEST, chance=random.Random(seed))[0].entrant.id for seed in range(1_000)]

    assert 430 < taken.count("a") < 570


@settings(max_examples=25)
@given(rate=st.floats(0.05, 0.95), seed=st.integers(0, 10_000))
def test_what_is_learnt_comes_near_the_true_rate(rate: float, seed: int) -> None:
    rng, known = random.Random(seed), Evidence()

    for number in range(1, 1_001):
        known = known.learnt(is_proved=rng.random() < rate, number=number)

    # A hundred attempts count, so the rate is known to about 0.05; four of these are once in ten thousand.
    assert abs(known.mean - rate) < 0.2


def test_the_probability_that_a_route_is_the_better_one_is_calibrated() -> None:
    """Of the pairs for which the draws say 70 to 90 %, so many are indeed better."""
    rng, right, said = random.Random(7), 0, []
    for _ in range(1_500):
        rates = [rng.betavariate(10, 10) for _ in range(2)]
        known = [Evidence(proved := sum(rng.random() < rate for _ in range(20)), 20 - proved) for rate in rates]
        wins = sum(
            rng.betavariate(known[0].alpha, known[0].beta) > rng.betavariate(known[1].alpha, known[1].beta)
            for _ in range(40)
        )
        if 0.7 <= wins / 40 <= 0.9:
            said.append(wins / 40)
            right += rates[0] > rates[1]

    assert len(said) > 150
    assert abs(right / len(said) - sum(said) / len(said)) < 0.08


def test_old_evidence_fades_and_an_unused_route_is_looked_at_again() -> None:
    known = Evidence(proved=88.0, unproved=12.0, prior=0.0, at=1_000)

    later = known.aged(1_100)

    assert later.proved == pytest.approx(88 * 0.99**100)
    assert later.alpha + later.beta < known.alpha + known.beta
    assert known.aged(10_000).mean == pytest.approx(0.65)


def test_evidence_never_grows_by_waiting_and_never_ages_backwards() -> None:
    known = Evidence(proved=5.0, unproved=5.0, at=100)

    assert known.aged(50) == known


def test_a_new_route_starts_as_if_it_had_been_tried_twenty_times_at_a_half() -> None:
    assert (Evidence().alpha, Evidence().beta) == (10, 10)


@given(st.permutations(range(6)))
def test_ranking_breaks_ties_by_name(order: list[int]) -> None:
    same = [entrant(f"r{at}", group="one") for at in order]

    for mode in Mode:
        ranked = rank(same, mode=mode, chance=random.Random(3))
        assert [each.entrant.id for each in ranked] == [f"r{at}" for at in range(6)]
