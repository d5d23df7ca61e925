"""A number's life: which state may follow which, how long it rests between accounts, who takes too many.

Pure. A number that was one business's must not become another's while people still trust it, so it ages first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.routing import NumberState

# Reserved and not provisioned in this time, it is free again.
RESERVATION_MIN = 30
AGING_DAYS, AGING_DAYS_NORTH_AMERICA = 90, 45
_NORTH_AMERICA = frozenset({"US", "CA"})
# A recipient sees the same sender again for so long.
STICKY_DAYS = 8
# How long a region's workers hold a number without renewing: one that is started again within it finds all as it was.
ROUTING_LEASE_S = 30
# An account that released more than twice its quota in this time is collecting numbers, not using them.
HARVEST_WINDOW_DAYS, HARVEST_FACTOR = 180, 2


_S = NumberState
_NEXT: Mapping[NumberState, frozenset[NumberState]] = {
    _S.RESERVED: frozenset({_S.PROVISIONING, _S.RETIRED}),
    _S.PROVISIONING: frozenset({_S.REGISTERING, _S.AVAILABLE, _S.RELEASING, _S.RETIRED}),
    # One that was ordered for an account alone is nobody else's in between.
    _S.REGISTERING: frozenset({_S.AVAILABLE, _S.LEASED, _S.SUSPENDED, _S.RELEASING}),
    _S.AVAILABLE: frozenset({_S.LEASED, _S.DRAINING, _S.QUARANTINED, _S.SUSPENDED, _S.RELEASING}),
    _S.LEASED: frozenset({_S.DRAINING, _S.QUARANTINED, _S.SUSPENDED}),
    _S.DRAINING: frozenset({_S.AGING, _S.QUARANTINED, _S.SUSPENDED, _S.RELEASING}),
    # Back to whom it was lent, or to everybody; a lease may end while its number is set aside.
    _S.QUARANTINED: frozenset({_S.AVAILABLE, _S.LEASED, _S.DRAINING, _S.SUSPENDED, _S.RELEASING}),
    _S.SUSPENDED: frozenset({_S.AVAILABLE, _S.LEASED, _S.DRAINING, _S.RELEASING}),
    _S.RELEASING: frozenset({_S.RETIRED}),
    _S.AGING: frozenset({_S.AVAILABLE, _S.RELEASING}),
    _S.RETIRED: frozenset(),
}
# Messages may leave with it. A draining one finishes what was begun and begins nothing.
IN_SERVICE = frozenset({_S.AVAILABLE, _S.LEASED})
# It is ours, and costs money.
HELD = frozenset(_S) - {_S.RESERVED, _S.RETIRED}


def may_become(state: NumberState, then: NumberState) -> bool:
    """Say whether a number may go from one state to another."""
    return then in _NEXT[state]


def nexts(state: NumberState) -> frozenset[NumberState]:
    """Return the states that may follow."""
    return _NEXT[state]


def aging_days(country: str) -> int:
    """Return how long a number of a country rests before another account may have it."""
    return AGING_DAYS_NORTH_AMERICA if country in _NORTH_AMERICA else AGING_DAYS


def aged_at(released_at: datetime, *, country: str) -> datetime:
    """Return when a number that was released then may be lent again."""
    return released_at + timedelta(days=aging_days(country))


def is_harvesting(*, released: int, quota: int) -> bool:
    """Say whether an account takes and releases too much: `released` leases of its ended inside the window."""
    return released > HARVEST_FACTOR * quota


def is_sticky(last_sent_at: datetime, *, now: datetime) -> bool:
    """Say whether a recipient should still see the sender that wrote to them then."""
    return now - last_sent_at <= timedelta(days=STICKY_DAYS)
