"""What comes after an attempt that did not do: the next route, patience, or the end (`numbers_and_routing.md`).

Pure: no clock, no I/O, no randomness. The answer says why, in words that are kept with the attempt. Which of the routes
that are open to a message it takes is the ranking's business (`ranking.py`), handed in as `pick`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from domain.messages import FailOverCause
from domain.statuses import AttemptStatus, FailureClass
from rules.routing.catalog import Route

# Automatic attempts for one message that somebody asked for, and the carriers of one verification's: the guard against
# paying without end, where the account's policy sets no other.
MAX_ATTEMPTS_PER_SEND = 3
MAX_CARRIERS = 3
# Attempts that no worker took cost nothing but three seconds each; so many more bound a message's history.
MAX_PLANS_PER_SEND = 15
# Numbers that were taken away bound it too: none is chosen again for a message that has lost it so often.
MAX_LOSSES_PER_SENDER = 2

# The person will not get the message on any route.
_HOPELESS = frozenset({FailureClass.RECIPIENT_PERMANENT, FailureClass.OPTED_OUT})
# The message may have reached the handset, whatever was heard of it, or may yet: a resend can be waiting its turn.
_MAY_ARRIVE = frozenset(
    {
        AttemptStatus.PLANNED,
        AttemptStatus.SUBMITTING,
        AttemptStatus.ACCEPTED,
        AttemptStatus.UNKNOWN,
        AttemptStatus.DELIVERED,
    }
)
REGION_SILENT_CODE = "region-without-workers"
# The number was lent to another, or set aside, after the attempt was planned: the route itself may do.
LEASE_LOST_CODE = "lease-lost"
# Nothing has left us: no carrier was asked, and nothing was paid.
NOT_ASKED = frozenset({REGION_SILENT_CODE, LEASE_LOST_CODE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the choice must know of an attempt that was made."""

    send: int
    carrier: str
    region: str
    pool_country: str
    sender: str
    sender_type: str
    status: AttemptStatus
    failure_class: FailureClass | None = None
    carrier_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The next route, and why it."""

    route: Route
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing more to send; the code may still come back."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The code cannot come back: the verification has failed, for this reason (a stable word)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many automatic attempts a message may have, on how many carriers in all of its verification."""

    attempts: int = MAX_ATTEMPTS_PER_SEND
    carriers: int = MAX_CARRIERS


# Takes one of the routes that are open, or none of them.
Pick: TypeAlias = Callable[[Sequence[Route]], Route | None]


def first_route(routes: Sequence[Route], tried: Sequence[Tried], *, pick: Pick | None = None) -> Choice | None:
    """Return where to begin a message that somebody asked for; routes not used in this verification go first."""
    take = pick or partial(least_tried, tried=tried)
    # Better a route that did not do before than none: the caller asked, and a carrier may have recovered.
    best = take(_not_ruled_out(routes, tried)) or take(routes)
    if best is None:
        return None
    if not tried:
        return Choice(route=best, reason=f"first route of pool {best.pool_country}")
    return Choice(route=best, reason=f"resend: {best.carrier} in pool {best.pool_country} was tried least so far")


def after_failure(
    routes: Sequence[Route],
    tried: Sequence[Tried],
    *,
    cause: FailOverCause,
    caps: Caps = Caps(),
    pick: Pick | None = None,
) -> Choice | Wait | GiveUp:
    """Return what to do after the last of the attempts in `tried` did not do."""
    last = tried[-1]
    if last.failure_class in _HOPELESS:
        return GiveUp(reason=str(last.failure_class))
    if cause is FailOverCause.NO_RECEIPT and last.status is AttemptStatus.DELIVERED:
        return Wait(reason=f"{last.carrier} reported the message delivered")
    best = _next(routes, tried, send=last.send, caps=caps, pick=pick)
    if best is not None:
        where = "next in" if best.pool_country == last.pool_country else "backup"
        return Choice(route=best, reason=f"{_told(last, cause)}: {where} pool {best.pool_country}")
    if any(each.status in _MAY_ARRIVE for each in tried):
        return Wait(reason="no further route; a message may still have arrived")
    return GiveUp(reason="no_route_left")


def least_tried(routes: Sequence[Route], *, tried: Sequence[Tried]) -> Route | None:
    """Return the first of the routes whose carrier was tried least: the order of a routes file."""
    return min(routes, key=lambda route: sum(1 for each in tried if each.carrier == route.carrier), default=None)


def _next(routes: Sequence[Route], tried: Sequence[Tried], *, send: int, caps: Caps, pick: Pick | None) -> Route | None:
    """Return the next route of a message: one that no carrier was asked on yet, in a region that was not silent.

    Where every region was, the one that was tried least is tried again: nothing has left us, so nothing was paid, and
    workers that are overwhelmed or restarting come back.
    """
    this_send = [each for each in tried if each.send == send]
    heard = [each for each in tried if each.carrier_code not in NOT_ASKED]
    asked = {(each.carrier, each.pool_country) for each in heard if each.send == send}
    carriers = {each.carrier for each in heard}
    plans = sum(1 for each in this_send if each.carrier_code != LEASE_LOST_CODE)
    if len(asked) >= caps.attempts or plans >= MAX_PLANS_PER_SEND:
        return None
    lost = Counter((each.carrier, each.sender) for each in this_send if each.carrier_code == LEASE_LOST_CODE)
    fresh = [
        route
        for route in _not_ruled_out(routes, heard)
        if (route.carrier, route.pool_country) not in asked
        and lost[route.carrier, route.sender] < MAX_LOSSES_PER_SENDER
        and (route.carrier in carriers or len(carriers) < caps.carriers)
    ]
    take = pick or partial(least_tried, tried=heard)
    silent = [each.region for each in this_send if each.carrier_code == REGION_SILENT_CODE]
    best = take([route for route in fresh if route.region not in silent])
    if best is not None or not silent:
        return best
    least = min((silent.count(route.region) for route in fresh), default=0)
    return (pick or _first)([route for route in fresh if silent.count(route.region) == least])


def _first(routes: Sequence[Route]) -> Route | None:
    return next(iter(routes), None)


def _not_ruled_out(routes: Sequence[Route], tried: Sequence[Tried]) -> list[Route]:
    """Return the routes that what was learnt in this verification does not rule out."""
    return [route for route in routes if not any(_rules_out(each, route) for each in tried)]


def _rules_out(each: Tried, route: Route) -> bool:
    """Say whether what one attempt met would meet the route as well."""
    match each.failure_class:
        case FailureClass.BLOCKED_CONTENT:
            return each.sender_type == route.sender_type
        case FailureClass.BLOCKED_SENDER:
            return (each.carrier, each.sender) == (route.carrier, route.sender)
        case _:
            return False


def _told(last: Tried, cause: FailOverCause) -> str:
    match cause:
        case FailOverCause.REGION_SILENT:
            return f"no worker in region {last.region} took the message for {last.carrier}"
        case FailOverCause.NO_RECEIPT:
            return f"no receipt from {last.carrier} in time"
        case FailOverCause.NO_CODE:
            return f"no code of {last.carrier}'s message came back in time"
        case FailOverCause.BAD_RECEIPT:
            return f"{last.carrier} reported {last.status} ({last.failure_class})"
        case FailOverCause.SUBMISSION:
            return f"{last.carrier} answered {last.status} ({last.failure_class})"
