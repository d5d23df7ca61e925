"""What is due for a number, and when: ordering, renewing, warning, ending, resting, giving back.

Pure. The answer is made anew from the number and its lease each time, so whoever missed a moment, or was killed in the
middle, does what is due now and nothing twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.routing import LeaseFacts, NumberFacts, NumberState

# A renewal that does not work has so long to be mended.
RENEW_AHEAD = timedelta(days=3)
# An account is told so many days before an end that nothing will put off.
WARN_DAYS = (7, 1)
# A lease is paid for so far ahead at most.
LONGEST_AHEAD = timedelta(days=400)
# The longest that a verification lives, and some: what was begun with a number may end with it.
DRAIN_S = 20 * 60
# How often a carrier is asked what became of an order: soon at first, and then twice in the time that it took so far.
_SOONEST_S, _LATEST_S = 1.0, 1_800.0
# A carrier that has not answered for so long is given up: an order ends, and what was to be given back is not waited
# for. By then somebody has noticed, and a number that is still wanted is ordered elsewhere.
ORDER_GIVEN_UP, RETURN_GIVEN_UP = timedelta(days=7), timedelta(days=30)
# Why a number is retired whose carrier was never heard to have it again.
NOT_GIVEN_BACK = "not_given_back"
# Prices of numbers are a month's.
_MONTH_DAYS = 30
# Why a number was set aside, where it comes back by time alone; what its health did comes back through probes.
BY_HAND, ROTATED = "by_hand", "rotated"
RETURNS_BY_TIME = frozenset({BY_HAND, ROTATED})
# Why a number is in provisioning: its carrier has taken the order.
ORDERED = "ordered"


class Step(StrEnum):
    """What is done for a number."""

    LAPSE = "lapse"
    ORDER = "order"
    LOOK = "look"
    REGISTER = "register"
    RENEW = "renew"
    WARN = "warn"
    EXPIRE = "expire"
    RESTORE = "restore"
    REST = "rest"
    RETURN = "return"
    GIVE_BACK = "give_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A step and its moment. `days` is what a warning is told: how many are left, at most."""

    step: Step
    at: datetime
    days: int = 0

    @property
    def told(self) -> str:
        """Return the step in words, for who reads the workflow."""
        return f"{_WORDS[self.step]} {self.days} day(s) before its end" if self.step is Step.WARN else _WORDS[self.step]


_WORDS = {
    Step.LAPSE: "Let the reservation lapse",
    Step.ORDER: "Order it from its carrier",
    Step.LOOK: "Ask its carrier what became of the order",
    Step.REGISTER: "Put it into service",
    Step.RENEW: "Renew the lease",
    Step.WARN: "Warn its account",
    Step.EXPIRE: "End the lease",
    Step.RESTORE: "Put it back into service",
    Step.REST: "Take it out of use",
    Step.RETURN: "Return it to its pool",
    Step.GIVE_BACK: "Give it back to its carrier",
}
_OF_CARRIER = frozenset({NumberState.PROVISIONING, NumberState.RELEASING})
_AT_THE_END_OF = {
    NumberState.RESERVED: Step.LAPSE,
    NumberState.REGISTERING: Step.REGISTER,
    NumberState.DRAINING: Step.REST,
    NumberState.AGING: Step.RETURN,
}
_IN_USE = frozenset({NumberState.AVAILABLE, NumberState.LEASED, NumberState.QUARANTINED, NumberState.SUSPENDED})


def next_due(number: NumberFacts, lease: LeaseFacts | None, *, now: datetime, may_renew: bool) -> Due | None:
    """Return what is due for a number next, now or later; None: nothing, until somebody changes it.

    `may_renew`: its account is in good standing.
    """
    if number.state in _IN_USE:
        ahead = [*_of_lease(lease, now=now, may_renew=may_renew), *_of_quarantine(number)]
        return min(ahead, key=lambda each: each.at, default=None)
    if number.state in _OF_CARRIER:
        # Put off by who asked the carrier.
        step = Step.GIVE_BACK if number.state is NumberState.RELEASING else Step.ORDER
        is_ordered = number.state is NumberState.PROVISIONING and number.state_reason == ORDERED
        return Due(step=Step.LOOK if is_ordered else step, at=number.due_at or now)
    step_then = _AT_THE_END_OF.get(number.state)
    return None if step_then is None else Due(step=step_then, at=number.state_until or now)


def ask_again_s(*, since: datetime, now: datetime) -> float:
    """Return how long to wait before a carrier is asked again, of what it has been asked since then."""
    return min(max((now - since).total_seconds() / 2, _SOONEST_S), _LATEST_S)


def is_given_up(number: NumberFacts, *, now: datetime) -> bool:
    """Say whether a carrier that does not answer has had its time, after which it is asked no more."""
    at_most = RETURN_GIVEN_UP if number.state is NumberState.RELEASING else ORDER_GIVEN_UP
    return number.silent_since is not None and now - number.silent_since >= at_most


def period_price_micros(lease: LeaseFacts) -> int:
    """Return what one period of a lease costs, in millionths of its currency; thirty days are a month."""
    return (2 * lease.price_micros * lease.period_days + _MONTH_DAYS) // (2 * _MONTH_DAYS)


def _of_lease(lease: LeaseFacts | None, *, now: datetime, may_renew: bool) -> Iterator[Due]:
    """Yield what a lease has ahead. One that is renewed has no end, however late its renewal is."""
    if lease is None:
        return
    end = lease.expires_at
    if lease.is_renewed and may_renew:
        yield Due(step=Step.RENEW, at=end - min(RENEW_AHEAD, timedelta(days=lease.period_days) / 2))
        return
    yield Due(step=Step.EXPIRE, at=end)
    passed = [days for days in WARN_DAYS if days < lease.period_days and now >= end - timedelta(days=days)]
    nearest = min(passed, default=None)
    for days in WARN_DAYS:
        is_told = lease.warned_days is not None and lease.warned_days <= days
        is_too_late = now >= end or (nearest is not None and days > nearest)
        if days < lease.period_days and not is_told and not is_too_late:
            yield Due(step=Step.WARN, at=end - timedelta(days=days), days=days)


def _of_quarantine(number: NumberFacts) -> Iterator[Due]:
    if (
        number.state is NumberState.QUARANTINED
        and number.state_reason in RETURNS_BY_TIME
        and number.state_until is not None
    ):
        yield Due(step=Step.RESTORE, at=number.state_until)
