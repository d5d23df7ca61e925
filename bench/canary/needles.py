"""What is searched for: every number and code of a run, and as many never issued to tell a find from chance."""

import random
from collections.abc import Collection
from dataclasses import dataclass

import phonenumbers

# So many strings that were never issued for each one that was: what they are found is what chance finds.
CONTROLS = 10
_SHOWN_AT_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Needles:
    """Digits to be found. `middles` are what masking takes out of a number, too short to be nobody else's digits."""

    numbers: frozenset[str]
    nationals: frozenset[str]
    middles: frozenset[str]
    codes: frozenset[str]

    def __or__(self, other: "Needles") -> "Needles":
        """Return both."""
        return Needles(
            numbers=self.numbers | other.numbers,
            nationals=self.nationals | other.nationals,
            middles=self.middles | other.middles,
            codes=self.codes | other.codes,
        )

    def __contains__(self, needle: str) -> bool:
        """Say whether a string is one of these."""
        return any(needle in each for each in (self.numbers, self.nationals, self.middles, self.codes))


def needles_of(numbers: Collection[str], codes: Collection[str]) -> Needles:
    """Return what to search for, of numbers in E.164 and of codes."""
    nationals = {str(phonenumbers.parse(each).national_number) for each in numbers}
    return Needles(
        numbers=frozenset(each.lstrip("+") for each in numbers),
        nationals=frozenset(nationals),
        middles=frozenset(each[:-_SHOWN_AT_END] for each in nationals),
        codes=frozenset(codes),
    )


def controls_of(needles: Needles, *, seed: int) -> Needles:
    """Return strings of the same lengths and beginnings that were never issued, so many times as many."""
    rng = random.Random(f"{seed}/controls")
    return Needles(
        numbers=_never_issued(needles.numbers, rng, same=4),
        nationals=_never_issued(needles.nationals, rng, same=3),
        middles=_never_issued(needles.middles, rng, same=0),
        codes=_never_issued(needles.codes, rng, same=0),
    )


def _never_issued(issued: Collection[str], rng: random.Random, *, same: int) -> frozenset[str]:
    made: set[str] = set()
    for each in sorted(issued):
        for _ in range(CONTROLS):
            tail = "".join(rng.choice("0123456789") for _ in each[same:])
            made.add(each[:same] + tail)
    return frozenset(made - set(issued))
