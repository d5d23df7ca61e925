"""The pools that come with the product hold only what their countries take, and say on what ground."""

from copy import deepcopy
from typing import Any

import pytest

from rules.routing.catalog import SenderType, catalog_of
from rules.routing.pools import PoolBook, pool_book_of
from runtime.settings import reference

COUNTRIES = ("GB", "US", "CA", "FR", "DE", "ES", "IE", "IT", "NL", "SG", "AU", "JP", "IN")
RULES = reference("country_rules.json")["countries"]
ALPHA = {each["iso"]: each["alpha"] for each in RULES}


def book(**changes: Any) -> PoolBook:
    return pool_book_of({**reference("pools.json"), **changes}, RULES)


def senders_towards(country: str) -> set[tuple[str, str]]:
    return {(grant.sender, grant.carrier) for grant in book().grants if grant.country == country}


def test_every_country_of_the_design_has_a_pool_on_two_carriers_at_least() -> None:
    carriers = {country: {each.carrier for each in book().senders if each.country == country} for country in COUNTRIES}

    assert {each.country for each in book().senders} == set(COUNTRIES)
    assert all(len(each) >= 2 for each in carriers.values()), carriers


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_sender_may_be_used_at_home(country: str) -> None:
    at_home = {(each.sender, each.carrier) for each in book().senders if each.country == country}

    assert at_home <= senders_towards(country)


@pytest.mark.parametrize("country", COUNTRIES)
def test_no_name_may_be_used_where_names_are_forbidden(country: str) -> None:
    names = {sender for sender, _ in senders_towards(country) if not sender.lstrip("+").isdigit()}

    assert bool(names) is (ALPHA[country] != "forbidden")
    assert (SenderType.ALPHANUMERIC in book().sender_types[country]) is (ALPHA[country] != "forbidden")


def test_a_name_that_must_be_registered_is_used_only_from_the_country_s_own_pool() -> None:
    for country in (iso for iso, rule in ALPHA.items() if rule == "registered_only"):
        own = {(each.sender, each.carrier) for each in book().senders if each.country == country}
        names = {each for each in senders_towards(country) if not each[0].lstrip("+").isdigit()}
        assert names <= own


def test_a_grant_says_on_what_ground() -> None:
    assert all(grant.ground and len(grant.ground) <= 200 for grant in book().grants)
    assert all(
        "sandbox" in grant.ground for grant in book().grants if grant.country == "GB" and grant.sender[:2] == "+1"
    )


@pytest.mark.parametrize(
    ("country", "sender", "type_"), [("US", "ACME", "alphanumeric"), ("FR", "+33639980001", "long_code")]
)
def test_a_sender_that_its_country_does_not_take_is_refused(country: str, sender: str, type_: str) -> None:
    pools = deepcopy(reference("pools.json")["pools"])
    pools[country]["senders"][0] |= {"sender": sender, "type": type_}

    with pytest.raises(ValueError, match=f"{country} does not take a sender of type {type_}"):
        book(pools=pools)


def test_data_that_lack_a_field_are_refused() -> None:
    with pytest.raises(KeyError):
        book(pools={"GB": {"senders": []}})


def test_senders_are_told_apart_and_fit_their_columns() -> None:
    keys = [(each.country, each.carrier, each.sender) for each in book().senders]

    assert len(keys) == len(set(keys))
    assert all(len(each.sender) <= 16 for each in book().senders)


def test_what_a_sender_can_do_follows_from_its_type() -> None:
    able = {each.sender_type: each.capabilities for each in book().senders}

    assert able[SenderType.TEN_DLC] == able[SenderType.TOLL_FREE] == {"sms", "voice"}
    assert able[SenderType.ALPHANUMERIC] == able[SenderType.SHORT_CODE] == {"sms"}


def test_the_senders_that_are_sent_with_today_are_in_the_pools() -> None:
    catalog = catalog_of(reference("routes.json"), RULES)

    assert {(each.pool_country, each.carrier, each.sender) for each in catalog.routes} <= {
        (each.country, each.carrier, each.sender) for each in book().senders
    }
