"""Numbers as input: strict E.164, one spelling per number, kinds that are refused, and what people are shown."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DomainError, InvalidNumberError, NumberTypeError, UnknownCountryError
from domain.phone import is_test_number, mask, parse_phone
from domain.statuses import Environment

# Ways to write +44 7400 123456 that a lenient parser takes for it (`security.md` §10, F22).
TRICKS = {
    "no plus": "447400123456",
    "leading 00": "00447400123456",
    "leading 011": "011447400123456",
    "national": "07400123456",
    "national prefix kept": "+4407400123456",
    "national prefix in brackets": "+44(0)7400123456",
    "spaces": "+44 7400 123456",
    "space in front": " +447400123456",
    "space behind": "+447400123456 ",
    "line end behind": "+447400123456\n",
    "tab": "+44\t7400123456",
    "no-break space": "+44\u00a07400123456",
    "zero-width space": "+44\u200b7400123456",
    "zero-width joiner": "+447400\u200d123456",
    "byte order mark": "\ufeff+447400123456",
    "right-to-left mark": "\u200f+447400123456",
    "right-to-left override": "+44\u202e7400123456",
    "soft hyphen": "+44\u00ad7400123456",
    "NUL behind": "+447400123456\x00",
    "NUL inside": "+447400\x00123456",
    "brackets": "+44(7400)123456",
    "hyphens": "+44-7400-123456",
    "dots": "+44.7400.123456",
    "slashes": "+44/7400/123456",
    "tilde": "+44~7400123456",
    "letters for digits": "+4474001CALLME",
    "letter behind": "+447400123456a",
    "Arabic digits": "+\u0664\u0664\u0667\u0664\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666",
    "Devanagari digit": "+44740012345\u096c",
    "full-width digits": "+\uff14\uff14\uff17\uff14\uff10\uff10\uff11\uff12\uff13\uff14\uff15\uff16",
    "full-width plus": "\uff0b447400123456",
    "superscript digit": "+44740012345\u2076",
    "two plus signs": "++447400123456",
    "plus behind": "447400123456+",
    "extension": "+447400123456;ext=1",
    "extension as text": "+447400123456 ext. 1",
    "extension by x": "+447400123456x1",
    "post-dial digits": "+447400123456,1",
    "phone context": "7400123456;phone-context=+44",
    "isub": "+447400123456;isub=12345",
    "a tel URI": "tel:+447400123456",
    "two numbers": "+447400123456/+447400123457",
    "vanity": "+1800FLOWERS",
    "zero after the plus": "+0447400123456",
    "too short": "+44740",
    "six digits": "+447400",
    "sixteen digits": "+4474001234567890",
    "a digit too many": "+4474001234567",
    "without its area code": "+15550100",
    "a plus alone": "+",
    "nothing": "",
}


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("name", TRICKS)
def test_a_number_in_any_other_spelling_is_refused_with_what_is_accepted(name: str, environment: Environment) -> None:
    with pytest.raises(InvalidNumberError, match=r"E\.164"):
        parse_phone(TRICKS[name], environment=environment)


def test_there_are_at_least_35_tricks() -> None:
    assert len(TRICKS) >= 35


def test_without_the_strict_form_a_lenient_parser_would_take_most_of_them() -> None:
    taken = set()
    for name, text in TRICKS.items():
        try:
            parsed = phonenumbers.parse(text, "GB")
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == "+447400123456":
            taken.add(name)

    assert len(taken) >= 20


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("+447400123456", "GB"),
        ("+447624123456", "IM"),
        ("+447781123456", "GG"),
        ("+447797123456", "JE"),
        ("+12025550150", "US"),
        ("+14165550199", "CA"),
        ("+33612345678", "FR"),
        ("+393123456789", "IT"),
        ("+5491123456789", "AR"),
        ("+77011234567", "KZ"),
        ("+79161234567", "RU"),
        ("+262692123456", "RE"),
        ("+4741234567", "NO"),
    ],
)
def test_the_country_is_the_number_s_own_not_its_code_s(text: str, country: str, environment: Environment) -> None:
    phone = parse_phone(text, environment=environment)

    assert (phone.e164, phone.country) == (text, country)


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+442079460958", "a landline"),
        ("+441624610110", "a landline"),
        ("+390612345678", "a landline"),
        ("+448001111111", "a toll-free number"),
        ("+18005551234", "a toll-free number"),
        ("+18005550123", "a toll-free number"),
        ("+449091234567", "a premium-rate number"),
        ("+19005551234", "a premium-rate number"),
        ("+33892123456", "a premium-rate number"),
        ("+447640123456", "a pager"),
        ("+447012345678", "a personal number"),
        ("+15005550006", "a personal number"),
        ("+443001234567", "a company access number"),
    ],
)
def test_a_kind_that_gets_no_text_or_costs_money_is_refused_by_name(
    text: str, kind: str, environment: Environment
) -> None:
    with pytest.raises(NumberTypeError, match=kind):
        parse_phone(text, environment=environment)


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize(
    "text",
    ["+999123456789", "+881612345678", "+870773111632", "+883510001234567", "+888123456789012", "+979123456789"],
)
def test_a_number_of_no_country_is_refused(text: str, environment: Environment) -> None:
    with pytest.raises(UnknownCountryError):
        parse_phone(text, environment=environment)


FICTION = {
    "+447700900000": "GB",
    "+447700900999": "GB",
    "+12025550100": "US",
    "+12125550199": "US",
    "+14165550123": "CA",
    "+33639980000": "FR",
    "+33639989999": "FR",
    "+61491570000": "AU",
    "+61491570999": "AU",
}


@pytest.mark.parametrize("text", FICTION)
def test_the_sandbox_takes_the_numbers_set_aside_for_fiction(text: str) -> None:
    assert is_test_number(text)
    assert parse_phone(text, environment=Environment.SANDBOX).country == FICTION[text]


@pytest.mark.parametrize("text", ["+447700901000", "+447700899999", "+12025550200", "+12025551100", "+33639970000"])
def test_beside_the_fiction_ranges_there_are_no_test_numbers(text: str) -> None:
    assert not is_test_number(text)


def test_production_refuses_numbers_nobody_was_given() -> None:
    with pytest.raises(InvalidNumberError, match="in use"):
        parse_phone("+447700900123", environment=Environment.PRODUCTION)


E164 = st.integers(min_value=10**6, max_value=10**15 - 1).map(lambda number: f"+{number}")


@given(E164, st.sampled_from(list(Environment)))
def test_what_is_accepted_is_its_own_only_spelling(text: str, environment: Environment) -> None:
    try:
        phone = parse_phone(text, environment=environment)
    except DomainError:
        return

    parsed = phonenumbers.parse(text)
    assert phone.e164 == text == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    assert len(phone.country) == 2


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_refusal(text: str) -> None:
    try:
        phone = parse_phone(text, environment=Environment.SANDBOX)
    except DomainError:
        return

    assert phone.e164 == text


@pytest.mark.parametrize(
    ("text", "country", "shown"),
    [
        ("+447700900123", "GB", "+44••••••0123"),
        ("+447624123456", "IM", "+44••••••3456"),
        ("+12025550150", "US", "+1••••••0150"),
        ("+33639980001", "FR", "+33•••••0001"),
        ("+4741234567", "NO", "+47••••4567"),
    ],
)
def test_people_are_shown_the_country_code_and_the_last_four_digits(text: str, country: str, shown: str) -> None:
    assert mask(text, country=country) == shown


def test_a_number_does_not_show_in_its_repr_and_so_in_no_log() -> None:
    phone = parse_phone("+447400123456", environment=Environment.SANDBOX)

    assert "7400" not in repr(phone)
    assert phone.masked == "+44••••••3456"


@pytest.mark.parametrize("text", ["+447400123456a", "+442079460958", "+999123456789"])
def test_a_refusal_does_not_repeat_the_number(text: str) -> None:
    with pytest.raises(DomainError) as refused:
        parse_phone(text, environment=Environment.SANDBOX)

    assert text[4:] not in refused.value.detail
