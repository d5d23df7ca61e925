"""How many guesses there may be: per verification, per number in a row, per number in a day.

Pure. A new verification is given its number of guesses when it starts, the least of what each limit leaves; from then
on its own row is all that a guess must be counted in, because one number has at most one verification pending.
"""

from dataclasses import dataclass

from domain.challenge import MAX_GUESS_PROBABILITY, guess_probability

# `security.md` §1 and §3.
CHECKS_PER_VERIFICATION = 5
FAILURES_CAP, FAILURES_HARD_LIMIT = 30, 100
CHECKS_PER_DAY = 30
DAY_S = 86_400
LOCK_S = 86_400
# From the tenth failure in a row on, each further guess waits twice as long, up to an hour.
DELAY_FROM_FAILURE = 10
DELAYS_S = (30, 60, 120, 240, 480, 960, 1920, 3600)
# Wrong checks an hour, against one guess on each of a million numbers. With one live code of six digits a budget of
# 50,000 lets such a guesser win one approval in twenty hours on average; a resend-happy one, with three, in seven.
WRONG_CHECKS_PER_HOUR_ACCOUNT = 50_000
WRONG_CHECKS_PER_HOUR_INSTANCE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLimits:
    """The limits on guesses that an instance may set, within the hard ones."""

    per_verification: int = CHECKS_PER_VERIFICATION
    failures_in_a_row: int = FAILURES_CAP
    per_day: int = CHECKS_PER_DAY


def allowance(
    limits: CheckLimits, *, failures_in_a_row: int, checks_today: int, checks_today_in_all: int | None = None
) -> int:
    """Return how many guesses a new verification of a number gets; 0 or less means that it may not start.

    `checks_today` are those since the account last unlocked the number; with those before, there is the hard limit.
    """
    in_all = checks_today if checks_today_in_all is None else checks_today_in_all
    return min(
        limits.per_verification,
        limits.failures_in_a_row - failures_in_a_row,
        limits.per_day - checks_today,
        FAILURES_HARD_LIMIT - in_all,
    )


def unsafe_limits(limits: CheckLimits, *, code_length: int) -> str | None:
    """Return the sentence that says why limits may not be used, or None when they may."""
    if not 1 <= limits.failures_in_a_row <= FAILURES_HARD_LIMIT:
        return f"failures in a row must be between 1 and {FAILURES_HARD_LIMIT}"
    if guess_probability(failures_cap=limits.failures_in_a_row, code_length=code_length) > MAX_GUESS_PROBABILITY:
        return (
            f"{limits.failures_in_a_row} failures in a row with codes of {code_length} digits would let a guesser win "
            f"with a chance above {MAX_GUESS_PROBABILITY}"
        )
    return None
