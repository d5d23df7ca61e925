"""The text of a message: the code first, the closest language, one segment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.content.text import compose
from runtime.settings import reference

TEMPLATES: dict[str, str] = reference("templates.json")
# GSM 03.38, the basic table; a character outside of it makes a message of 70 characters out of one of 160.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def text(*, locale: str = "en", code: str = "012345", brand: str = "ACME", ttl_s: int = 300) -> str:
    return compose(TEMPLATES, locale=locale, code=code, brand=brand, ttl_s=ttl_s)


def test_the_code_comes_first_then_whose_it_is_and_how_long_it_lives() -> None:
    assert text() == "012345 is your ACME code. It is valid for 5 min. Do not share it."


@pytest.mark.parametrize(
    ("locale", "begins"),
    [
        ("fr", "012345 est votre"),
        ("fr-CA", "012345 est votre"),
        ("FR", "012345 est votre"),
        ("de-AT", "012345 ist Ihr"),
        ("ja", "012345 is your"),
        ("xx-YY", "012345 is your"),
        ("en-GB", "012345 is your"),
    ],
)
def test_the_closest_language_is_taken_and_english_where_there_is_none(locale: str, begins: str) -> None:
    assert text(locale=locale).startswith(begins)


@pytest.mark.parametrize(("ttl_s", "minutes"), [(1, 1), (30, 1), (89, 1), (300, 5), (599, 10), (600, 10)])
def test_minutes_are_rounded_and_never_none(ttl_s: int, minutes: int) -> None:
    assert f"valid for {minutes} min" in text(ttl_s=ttl_s)


@pytest.mark.parametrize("locale", TEMPLATES)
def test_every_template_is_one_gsm_segment_with_the_longest_brand_and_code(locale: str) -> None:
    message = text(locale=locale, brand="W" * 24, code="0" * 8, ttl_s=600)

    assert set(message) <= GSM_7
    assert len(message) <= 160


@pytest.mark.parametrize("locale", TEMPLATES)
def test_every_template_has_the_code_standing_alone(locale: str) -> None:
    assert text(locale=locale).split()[0] == "012345"


@given(st.text(max_size=24))
def test_a_brand_is_never_read_as_a_template(brand: str) -> None:
    assert brand in text(brand=brand)
