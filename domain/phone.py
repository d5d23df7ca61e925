"""Numbers as input: strict E.164 in, a normalised number with its country out.

`phonenumbers` is lenient by design (letters, full-width digits, extensions), so the text must match strict E.164 before
it is parsed, and must be the same text afterwards: one number has one spelling, and every limit is keyed on it.
"""

import re
from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

from domain.errors import InvalidNumberError, NumberTypeError, UnknownCountryError
from domain.statuses import Environment

ACCEPTED = "Send the number in E.164: a plus sign, the country code and the number, 7 to 15 digits, like +447700900123."
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Set aside for fiction by Ofcom, NANPA (area codes that are not toll-free or premium), Arcep and ACMA: they are
# nobody's, so the sandbox may use them.
_FICTION = re.compile(
    r"\+447700900[0-9]{3}|\+1(?!8(?:00|33|44|55|66|77|88)|900)[2-9][0-9]{2}55501[0-9]{2}"
    r"|\+3363998[0-9]{4}|\+61491570[0-9]{3}"
)
_SHOWN_AT_END = 4
# Not a country: satellite, universal and other networks of no territory (`phonenumbers` calls them region 001).
_NO_TERRITORY = "001"

# Each of these cannot hold a handset's inbox, or bills somebody for what it receives (`security.md` §2).
_REFUSED_TYPES = {
    PhoneNumberType.FIXED_LINE: "a landline",
    PhoneNumberType.TOLL_FREE: "a toll-free number",
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company access number",
    PhoneNumberType.VOICEMAIL: "a voicemail number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A number that may be verified. The digits are kept out of `repr`, and so out of logs."""

    e164: str = field(repr=False)
    country: str

    @property
    def masked(self) -> str:
        """Return the number as people are shown it: `+44••••••0123`."""
        return mask(self.e164, country=self.country)


def parse_phone(text: str, *, environment: Environment) -> Phone:
    """Return the number a text names.

    The sandbox takes test numbers and numbers no operator has been given yet, because nothing leaves the machine; the
    kind of number is judged everywhere.

    Raises:
        InvalidNumberError: the text is not strict E.164, or no such number can exist.
        UnknownCountryError: the number belongs to no country.
        NumberTypeError: a landline, or a kind that costs its holder money.

    """
    if not _E164.fullmatch(text):
        raise InvalidNumberError(f"This is not a number we accept. {ACCEPTED}")
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise UnknownCountryError(f"No country has this country code. {ACCEPTED}") from None
    if phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != text:
        raise InvalidNumberError(f"The number is spelled with digits that are not part of it. {ACCEPTED}")
    country = _country_of(parsed)
    if environment is Environment.SANDBOX and is_test_number(text):
        return Phone(e164=text, country=country)
    _refuse_impossible(parsed, environment)
    _refuse_kind(parsed)
    return Phone(e164=text, country=country)


def is_test_number(e164: str) -> bool:
    """Say whether a number is one of those set aside for fiction, the documented test numbers."""
    return _FICTION.fullmatch(e164) is not None


def ensure_country(country: str) -> None:
    """Let the code of a country that has numbers pass.

    Raises:
        UnknownCountryError: there is no such country, or it has no numbers of its own.

    """
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise UnknownCountryError("country: two capital letters of ISO 3166, like GB, of a country that has numbers.")


def mask(e164: str, *, country: str) -> str:
    """Return a number with its country code and its last four digits readable, of a short one fewer than half."""
    code = str(phonenumbers.country_code_for_region(country))
    national = e164[1 + len(code) :]
    shown = min(_SHOWN_AT_END, len(national) // 2)
    return f"+{code}{'•' * (len(national) - shown)}{national[len(national) - shown :]}"


def _country_of(parsed: phonenumbers.PhoneNumber) -> str:
    """Return the ISO country, found by area where a number itself is assigned to nobody."""
    country = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    if country in (None, _NO_TERRITORY, "ZZ"):
        raise UnknownCountryError("The number belongs to a network of no country (satellite, universal), not accepted.")
    return country


def _refuse_impossible(parsed: phonenumbers.PhoneNumber, environment: Environment) -> None:
    # Stricter than `is_possible_number`, which takes a number without its area code too.
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        raise InvalidNumberError(f"The number is too short or too long for its country. {ACCEPTED}")
    if environment is Environment.PRODUCTION and not phonenumbers.is_valid_number(parsed):
        raise InvalidNumberError(f"No such number is in use. {ACCEPTED}")


def _refuse_kind(parsed: phonenumbers.PhoneNumber) -> None:
    kind = _REFUSED_TYPES.get(phonenumbers.number_type(parsed))
    if kind is not None:
        raise NumberTypeError(f"The number is {kind}; only numbers that receive text messages are accepted.")
