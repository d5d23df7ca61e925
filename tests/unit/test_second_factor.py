"""Second factors and passwords of operators: what a code is, what a step is, and what is accepted."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from argon2 import PasswordHasher

from domain.operators import normal_email
from rules.second_factor import RECOVERY_CODE, TOTP_CODE, step_of, why_weak
from security.operator_secrets import (
    INVITATION,
    SESSION,
    OperatorHashes,
    enrolment_uri,
    matching_step,
    new_recovery_codes,
    new_token,
    new_totp_secret,
    qr_code,
)
from security.passwords import NOBODY_S, Passwords
from tests.building import KEYS

# RFC 6238, appendix B: the secret of SHA-1, cut to six digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
FULL_WIDTH = "".join(chr(0xFF10 + each) for each in range(1, 7))
VECTORS = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}


@pytest.mark.parametrize(("at", "code"), VECTORS.items())
def test_codes_are_those_of_the_specification(at: int, code: str) -> None:
    assert matching_step(SECRET, code, at=datetime.fromtimestamp(at, tz=UTC)) == at // 30


@pytest.mark.parametrize(("seconds", "found"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_one_step_to_either_side_is_accepted_and_no_other(seconds: int, found: bool) -> None:  # noqa: FBT001 - a table
    now = datetime(2026, 11, 24, 12, 0, 15, tzinfo=UTC)
    step = step_of(now) + seconds // 30
    code = pyotp.TOTP(SECRET).generate_otp(step)

    assert matching_step(SECRET, code, at=now) == (step if found else None)


@pytest.mark.parametrize(
    "code", ["12345", "1234567", "12345a", FULL_WIDTH, "١٢٣٤٥٦", "123456\n", " 123456", "+12345", ""]
)
def test_six_ascii_digits_are_a_code_and_nothing_else(code: str) -> None:
    assert TOTP_CODE.fullmatch("123456")
    assert not TOTP_CODE.fullmatch(code)


def test_recovery_codes_are_ten_of_the_form_that_is_accepted_and_hashed_apart() -> None:
    codes, hashes = new_recovery_codes(), OperatorHashes(KEYS)

    assert len(set(codes)) == 10
    assert all(RECOVERY_CODE.fullmatch(code) for code in codes)
    assert len({hashes.of_recovery_code(code) for code in codes}) == 10


@pytest.mark.parametrize(
    "text", ["", "cs_ses_", f"cs_ses_{'a' * 42}", f"cs_ses_{'a' * 44}", f"cs_inv_{'a' * 43}", "a" * 100_000]
)
def test_what_cannot_be_a_session_s_token_is_not_even_hashed(text: str) -> None:
    assert OperatorHashes(KEYS).of_token(text, prefix=SESSION) is None


def test_tokens_are_found_by_a_hash_that_is_not_that_of_another_kind() -> None:
    token = new_token(INVITATION)

    assert OperatorHashes(KEYS).of_token(token, prefix=INVITATION) not in {None, token}
    assert OperatorHashes(KEYS).of_token(token, prefix=SESSION) is None


def test_an_app_is_enrolled_by_what_the_image_shows() -> None:
    secret = new_totp_secret()
    parsed = pyotp.parse_uri(enrolment_uri(secret, email="ada@example.com"))
    image = qr_code(enrolment_uri(secret, email="ada@example.com"))

    assert (parsed.secret, parsed.issuer, parsed.name) == (secret, "Countersign", "ada@example.com")
    assert image.startswith("<svg")
    assert "style=" not in image
    assert "<script" not in image


async def test_a_password_is_compared_with_nobody_s_at_the_same_cost() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")

    assert await passwords.is_right(stored, "correct horse battery")
    assert not await passwords.is_right(stored, "correct horse batter")
    assert not await passwords.is_right(None, "correct horse battery")
    cost = [
        PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).check_needs_rehash(each)
        for each in (stored, NOBODY_S)
    ]
    assert cost == [False, False]


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "a" * 40, "abcdabcdabcd", "x1-ada.lovelace-99", "y" * 257])
def test_a_password_that_is_easily_guessed_is_named_weak(password: str) -> None:
    assert why_weak(password, email="ada.lovelace@example.com")


def test_a_long_password_is_accepted_without_a_mixture_of_characters() -> None:
    assert why_weak("correct horse battery", email="ada@example.com") is None


@pytest.mark.parametrize(
    ("text", "normal"), [("Ada@Example.com ", "ada@example.com"), ("a@b", None), ("a@b@c.de", None)]
)
def test_an_address_has_one_form(text: str, normal: str | None) -> None:
    assert normal_email(text) == normal


def test_steps_are_counted_from_the_epoch() -> None:
    assert step_of(datetime.fromtimestamp(0, tz=UTC) + timedelta(seconds=59)) == 1
