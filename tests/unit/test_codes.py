"""Codes: uniform, different at each counter, the same again from the same key, and never stored."""

import itertools
import math
from collections import Counter
from uuid import UUID

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.challenge import MAX_CODE_LENGTH, MIN_CODE_LENGTH, guess_probability, is_guess
from security.codes import code_for, proved_counter
from security.keyring import derive

KEY = bytes(range(32))
ONE, OTHER = UUID(int=1), UUID(int=2)
# A code costs 20 µs: a hundred thousand fit into a few seconds, and any bias worth having shows in them.
VERIFICATIONS, COUNTERS = 1_000, 100


@pytest.fixture(scope="module")
def many() -> list[str]:
    return [code for at in range(VERIFICATIONS) for code in codes(UUID(int=at), counters=range(COUNTERS))]


def codes(verification_id: UUID, *, counters: range, length: int = 6) -> list[str]:
    return [code_for(KEY, verification_id=verification_id, counter=counter, length=length) for counter in counters]


def chi_square(counts: Counter[str], *, cells: int) -> float:
    expected = counts.total() / cells
    seen = sum((count - expected) ** 2 / expected for count in counts.values())
    return seen + (cells - len(counts)) * expected


def limit(degrees: int) -> float:
    """Return what chi-square exceeds once in a hundred thousand times (Wilson and Hilferty's approximation)."""
    z = 4.265
    return degrees * (1 - 2 / (9 * degrees) + z * math.sqrt(2 / (9 * degrees))) ** 3


@pytest.mark.parametrize("position", range(6))
def test_every_digit_is_as_frequent_at_every_position(many: list[str], position: int) -> None:
    counts = Counter(code[position] for code in many)

    assert set(counts) == set("0123456789")
    assert chi_square(counts, cells=10) < limit(9)


def test_codes_are_spread_evenly_over_the_whole_range(many: list[str]) -> None:
    counts = Counter(code[:3] for code in many)

    assert chi_square(counts, cells=1_000) < limit(999)


def test_neighbouring_digits_do_not_depend_on_one_another(many: list[str]) -> None:
    for position in range(5):
        counts = Counter(code[position : position + 2] for code in many)
        assert chi_square(counts, cells=100) < limit(99)


def test_a_tenth_of_the_codes_begin_with_zero_and_keep_it(many: list[str]) -> None:
    share = sum(code[0] == "0" for code in many) / len(many)

    assert {len(code) for code in many} == {6}
    # Five standard deviations of the share among a hundred thousand.
    assert share == pytest.approx(0.1, abs=0.005)


def test_the_test_of_evenness_sees_a_bias_of_one_digit_in_fifty(many: list[str]) -> None:
    biased = Counter("7" if at % 50 == 0 else code[0] for at, code in enumerate(many))

    assert chi_square(biased, cells=10) > limit(9)


def test_codes_one_after_another_are_seldom_the_same() -> None:
    found = codes(ONE, counters=range(1_000))

    assert len(set(found)) > 990
    assert sum(one == other for one, other in itertools.pairwise(found)) <= 1


def test_a_code_is_the_same_again_from_the_same_key_and_another_from_another() -> None:
    again = [code_for(KEY, verification_id=ONE, counter=0, length=6) for _ in range(3)]
    others = [
        code_for(bytes(32), verification_id=ONE, counter=0, length=6),
        code_for(KEY, verification_id=OTHER, counter=0, length=6),
        code_for(KEY, verification_id=ONE, counter=1, length=6),
    ]

    assert len(set(again)) == 1
    assert again[0] not in others
    assert len(set(others)) == 3


@pytest.mark.parametrize("length", range(MIN_CODE_LENGTH, MAX_CODE_LENGTH + 1))
def test_codes_have_every_length_that_may_be_asked_for(length: int) -> None:
    found = codes(ONE, counters=range(50), length=length)

    assert {len(code) for code in found} == {length}
    assert len(set(found)) > 45


def test_a_shorter_code_is_rfc_4226_s_own() -> None:
    secret = derive(KEY, info="countersign/verification/v1", salt=ONE.bytes)
    number = int(codes(ONE, counters=range(1), length=8)[0])

    assert pyotp.utils.strings_equal(codes(ONE, counters=range(1), length=4)[0], f"{number % 10_000:04d}")
    assert len(secret) == 32


def test_the_counter_that_was_proved_is_told() -> None:
    code = code_for(KEY, verification_id=ONE, counter=5, length=6)

    assert proved_counter(KEY, code, verification_id=ONE, counters=[3, 4, 5], length=6) == 5
    assert proved_counter(KEY, code, verification_id=ONE, counters=[2, 3, 4], length=6) is None
    assert proved_counter(KEY, code, verification_id=ONE, counters=[], length=6) is None
    assert proved_counter(KEY, code, verification_id=OTHER, counters=[3, 4, 5], length=6) is None


@pytest.mark.parametrize("guess", ["", "0", "00000", "0000000", "\uff11\uff12\uff13\uff14\uff15\uff16", "é"])
def test_a_guess_of_another_form_proves_nothing(guess: str) -> None:
    assert proved_counter(KEY, guess, verification_id=ONE, counters=range(3), length=6) is None


@given(st.text(max_size=14))
def test_a_guess_is_four_to_ten_ascii_digits_and_nothing_else(text: str) -> None:
    assert is_guess(text) is (4 <= len(text) <= 10 and all(each in "0123456789" for each in text))


@given(st.text(alphabet="0123456789", min_size=4, max_size=10))
def test_ascii_digits_are_a_guess(text: str) -> None:
    assert is_guess(text)
    assert not is_guess(f"{text}\n")
    assert not is_guess(f" {text}")


@given(st.text(alphabet=st.characters(categories=["Nd"], exclude_characters="0123456789"), min_size=4, max_size=10))
def test_digits_of_other_scripts_are_no_guess(text: str) -> None:
    assert not is_guess(text)


def test_thirty_guesses_at_three_codes_of_six_digits_win_with_less_than_one_in_ten_thousand() -> None:
    assert guess_probability(failures_cap=30, code_length=6) == pytest.approx(9e-5)
    assert guess_probability(failures_cap=34, code_length=6) > 1e-4
