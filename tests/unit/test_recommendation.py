"""Recommendations say what they rest on, follow what is asked for, and prefer what is known to what is cheap."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.routing import Mode
from rules.routing.catalog import SenderType
from rules.routing.offers import Known, Need, Offer, cost_micros, senders_for, trusted_rate
from rules.routing.proportions import Share
from rules.routing.recommendation import BACKUPS, Recommendation, recommend
from rules.routing.timers import RECEIPT_BOUNDS_S, VERIFY_BOUNDS_S
from rules.routing.use_cases import DEMANDS, Priority, UseCase

NOTHING = Share(0, 0)
POOLS = ("GB", "US", "FR", "IE")


def an_offer(pool: str = "GB", sender_type: SenderType = SenderType.LONG_CODE, **changes: Any) -> Offer:
    values = {
        "price_micros": 40_000,
        "parts_per_s": 1.0,
        "is_allowed": True,
        "rule": "allowed",
        "proved": Share(85, 100),
        "carriers": frozenset({pool.lower()}),
    }
    return Offer(pool_country=pool, sender_type=sender_type, **{**values, **changes})


def need(priority: Priority | None = Priority.COST, *, volume: int = 10_000, **changes: Any) -> Need:
    return Need(country="GB", monthly_volume=volume, priority=priority, **changes)


def made(needed: Need, *offers: Offer) -> Recommendation:
    found = recommend(needed, offers)
    assert found is not None
    return found


CHEAP = an_offer("US", price_micros=20_000, proved=Share(70, 100), receipt_p95_s=20.0)
QUICK = an_offer("IE", price_micros=60_000, proved=Share(85, 100), receipt_p95_s=9.0)
SURE = an_offer("FR", price_micros=60_000, proved=Share(950, 1_000), receipt_p95_s=25.0)


@pytest.mark.parametrize(
    ("priority", "pool", "mode", "wait_s"),
    [
        (Priority.COST, "US", Mode.ADAPTIVE, 20),
        (Priority.SPEED, "IE", Mode.ADAPTIVE, 9),
        (Priority.CONVERSION, "FR", Mode.BEST, 25),
    ],
)
def test_what_matters_most_decides(priority: Priority, pool: str, mode: Mode, wait_s: int) -> None:
    found = made(need(priority, volume=1_000), QUICK, SURE, CHEAP)

    assert (found.primary, found.mode, found.receipt_wait_s) == (pool, mode, wait_s)
    assert set(found.backups) == {"US", "IE", "FR"} - {pool}


@pytest.mark.parametrize(
    ("use_case", "pool", "priority", "is_resent"),
    [
        (UseCase.CONFIRM_CONTACT, "US", Priority.COST, False),
        (UseCase.AUTHENTICATE, "IE", Priority.SPEED, True),
        (UseCase.RECOVER, "FR", Priority.CONVERSION, False),
        (UseCase.TRANSACTION, "IE", Priority.SPEED, False),
    ],
)
def test_a_use_case_has_a_priority_of_its_own(
    use_case: UseCase, pool: str, priority: Priority, *, is_resent: bool
) -> None:
    found = made(need(None, volume=1_000, use_case=use_case), QUICK, SURE, CHEAP)

    assert (found.primary, found.priority, found.is_resent) == (pool, priority, is_resent)
    assert f"{use_case}: {DEMANDS[use_case].why}" in found.reasons


def test_what_the_account_names_goes_before_the_use_case_s_own_priority() -> None:
    found = made(need(Priority.COST, use_case=UseCase.RECOVER), QUICK, SURE, CHEAP)

    assert (found.primary, found.priority) == ("US", Priority.COST)


def test_a_payment_s_message_has_two_parts_and_needs_twice_the_senders() -> None:
    login, payment = (
        made(need(volume=2_592_000, use_case=each), an_offer()) for each in (UseCase.AUTHENTICATE, UseCase.TRANSACTION)
    )

    assert (login.senders, payment.senders) == (10, 20)


def test_the_volume_decides_between_what_costs_by_the_month_and_what_costs_by_the_message() -> None:
    by_message = an_offer(price_micros=45_000, parts_per_s=1.0)
    by_month = an_offer(
        sender_type=SenderType.SHORT_CODE, price_micros=40_000, monthly_micros=600_000_000, parts_per_s=100.0
    )

    little, much = (made(need(volume=volume), by_message, by_month) for volume in (1_000, 1_000_000))

    assert (little.sender_type, much.sender_type) == (SenderType.LONG_CODE, SenderType.SHORT_CODE)


def test_a_pool_that_cannot_carry_the_peak_is_not_the_quickest() -> None:
    slow = an_offer("FR", receipt_p95_s=20.0, senders=10, parts_per_s=100.0)

    quiet, busy = (made(need(Priority.SPEED, volume=volume), QUICK, slow) for volume in (1_000, 2_592_000))

    assert (quiet.primary, busy.primary) == ("IE", "FR")


def test_senders_that_the_pool_does_not_have_are_told() -> None:
    found = made(need(volume=2_592_000), an_offer(senders=4))

    assert (found.senders, found.to_lease) == (10, 6)
    assert "10.00 parts a second" in found.reasons[2]
    assert "there are 4" in found.reasons[2]


def test_what_a_rule_forbids_is_not_recommended_and_the_rule_is_told() -> None:
    name = an_offer(
        sender_type=SenderType.ALPHANUMERIC, is_allowed=False, rule="alphanumeric: forbidden", price_micros=1
    )

    found = made(need(), name, an_offer())

    assert found.sender_type is SenderType.LONG_CODE
    assert found.refused == ("alphanumeric of pool GB: alphanumeric: forbidden",)
    assert recommend(need(), [name]) is None


def test_a_country_s_own_pool_goes_first_where_all_else_is_the_same() -> None:
    found = made(need(), an_offer("AU"), an_offer("GB"), an_offer("US"))

    assert (found.primary, found.backups) == ("GB", ("AU", "US"))


@pytest.mark.parametrize("priority", Priority)
def test_a_foreign_pool_that_nothing_is_known_of_is_put_before_nothing(priority: Priority) -> None:
    """However cheap: a price says nothing of whether its messages arrive."""
    cheap = an_offer("IN", price_micros=1, proved=NOTHING, receipt_p95_s=1.0, parts_per_s=100.0)

    beside_own = made(need(priority), cheap, an_offer("GB", proved=NOTHING))
    beside_known = made(need(priority), cheap, an_offer("US", price_micros=90_000))

    assert (beside_own.primary, beside_known.primary) == ("GB", "US")


def test_of_a_pool_that_nothing_is_known_of_only_other_carriers_are_worth_falling_back_on() -> None:
    own = an_offer("GB", carriers=frozenset({"alpha", "bravo"}))
    same = an_offer("IN", price_micros=1, proved=NOTHING, carriers=frozenset({"alpha"}))
    other = an_offer("US", proved=NOTHING, carriers=frozenset({"alpha", "charlie"}))
    known = an_offer("FR", carriers=frozenset({"bravo"}))

    found = made(need(), own, same, other, known)

    assert found.backups == ("US", "FR")
    assert found.reasons[-2].startswith("backup US: on alpha, charlie; nothing is known here")


def test_a_pool_that_is_known_to_be_poor_is_neither_first_nor_a_backup() -> None:
    poor = an_offer("US", price_micros=1, proved=Share(20, 100))

    found = made(need(), poor, an_offer("GB", proved=NOTHING), SURE)

    assert (found.primary, found.backups) == ("FR", ("GB",))
    assert made(need(), poor, an_offer("GB", proved=NOTHING)).backups == ()


@pytest.mark.parametrize(
    ("proved", "known", "sentence"),
    [
        (NOTHING, Known.NOTHING, "nothing is known here of messages this way"),
        (Share(20, 29), Known.LITTLE, "fewer than 30 messages are known of here"),
        (Share(20, 30), Known.ENOUGH, "30 messages or more are known of here"),
    ],
)
def test_how_much_is_known_is_told(proved: Share, known: Known, sentence: str) -> None:
    found = made(need(), an_offer(proved=proved))

    assert found.known is known
    assert any(sentence in each for each in found.reasons)


@pytest.mark.parametrize(
    ("priority", "receipt_s", "verify_s"),
    [(Priority.COST, 30, 60), (Priority.SPEED, 8, 20), (Priority.CONVERSION, 8, 30)],
)
def test_what_is_not_learnt_is_awaited_as_the_priority_has_it(
    priority: Priority, receipt_s: int, verify_s: int
) -> None:
    found = made(need(priority), an_offer())

    assert (found.receipt_wait_s, found.verify_wait_s) == (receipt_s, verify_s)


def test_a_hundred_codes_of_a_hundred_are_trusted_less_than_they_look() -> None:
    assert trusted_rate(an_offer(proved=Share(100, 100))) < 0.99
    assert "900 of 1000 messages proved" in made(need(), an_offer(proved=Share(900, 1_000))).reasons[0]


shares = st.builds(lambda total, rate: Share(total * rate, total), st.sampled_from([0, 5, 30, 100]), st.floats(0, 1))
an_offer_of_any_kind = st.builds(
    an_offer,
    st.sampled_from(POOLS),
    st.sampled_from(SenderType),
    price_micros=st.integers(1, 100_000),
    monthly_micros=st.integers(0, 10**9),
    parts_per_s=st.floats(0.5, 100),
    senders=st.integers(1, 5),
    is_allowed=st.booleans(),
    proved=shares,
    carriers=st.frozensets(st.sampled_from(["alpha", "bravo", "charlie"]), min_size=1),
    receipt_p95_s=st.none() | st.floats(0, 60),
    verify_p90_s=st.none() | st.floats(0, 90),
)
several_offers = st.lists(
    an_offer_of_any_kind, min_size=1, max_size=6, unique_by=lambda each: (each.pool_country, each.sender_type)
)
any_need = st.builds(
    Need,
    country=st.just("GB"),
    monthly_volume=st.integers(1, 10**7),
    use_case=st.sampled_from(UseCase),
    priority=st.none() | st.sampled_from(Priority),
)


@given(several_offers, any_need)
def test_what_is_recommended_can_be_set(offers: list[Offer], needed: Need) -> None:
    found = recommend(needed, offers)

    allowed = [each for each in offers if each.is_allowed]
    assert (found is None) == (not allowed)
    if found is None:
        return
    assert (found.primary, found.sender_type) in {(each.pool_country, each.sender_type) for each in allowed}
    assert set(found.backups) <= {each.pool_country for each in allowed} - {found.primary}
    assert len(set(found.backups)) == len(found.backups) <= BACKUPS
    assert RECEIPT_BOUNDS_S[0] <= found.receipt_wait_s <= RECEIPT_BOUNDS_S[1]
    assert VERIFY_BOUNDS_S[0] <= found.verify_wait_s <= VERIFY_BOUNDS_S[1]
    assert 0 <= found.to_lease <= found.senders


@given(several_offers, any_need)
def test_nothing_unknown_is_put_before_what_is_known_to_do_its_work(offers: list[Offer], needed: Need) -> None:
    found = recommend(needed, offers)

    proven = [each for each in offers if each.is_allowed and each.known is Known.ENOUGH and trusted_rate(each) >= 0.5]
    assert found is None or not proven or found.known is Known.ENOUGH


@given(st.data(), several_offers, any_need)
def test_the_order_of_the_offers_does_not_matter(data: st.DataObject, offers: list[Offer], needed: Need) -> None:
    assert recommend(needed, data.draw(st.permutations(offers))) == recommend(needed, offers)


@given(an_offer_of_any_kind, any_need)
def test_more_volume_never_needs_fewer_senders_nor_a_dearer_code(offer: Offer, needed: Need) -> None:
    twice = replace(needed, monthly_volume=2 * needed.monthly_volume)

    assert senders_for(offer, twice) >= senders_for(offer, needed)
    # The rent of a further sender may come before its messages do.
    rent = offer.monthly_micros / twice.monthly_volume / trusted_rate(offer)
    assert cost_micros(offer, twice) <= cost_micros(offer, needed) + rent + 1e-6
