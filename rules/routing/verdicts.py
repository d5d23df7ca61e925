"""What is decided about routes and numbers from what was learnt of them: set aside, or taken back; with the evidence.

Pure. A decision is a word and the figures that it rests on, so that whoever asks later is told what was seen then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.audit import JsonScalar
from rules.routing.breaker import BreakerState
from rules.routing.health import (
    NumberRecord,
    Trouble,
    has_fallen,
    has_proved_itself,
    has_returned,
    relapse_of,
    trouble_of,
)
from rules.routing.learning import Health
from rules.routing.proportions import Share

# A breaker that comes and goes is told of once in this time at most.
TOLD_AT_MOST_EVERY_S = 60
_NOTHING = NumberRecord(proved=Share(0, 0), received=Share(0, 0), blocked=Share(0, 0), spam=Share(0, 0))


class Decided(StrEnum):
    """What can be decided. The words are stored."""

    ROUTE_DEMOTED = "route.demoted"
    ROUTE_RESTORED = "route.restored"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_CLOSED = "breaker.closed"
    NUMBER_QUARANTINED = "number.quarantined"
    NUMBER_PROBING = "number.probing"
    NUMBER_RESTORED = "number.restored"
    NUMBER_ROTATED = "number.rotated"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """A decision as stored."""

    country: str
    kind: Decided
    subject: str
    evidence: Mapping[str, JsonScalar]
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """What becomes of a group of routes, what is known of it from then on, and why: in a word, and in figures."""

    decided: Decided
    health: Health
    reason: str
    evidence: Mapping[str, JsonScalar]


def verdict_of(health: Health, *, now: datetime) -> RouteVerdict | None:
    """Return what is to be decided about a group of routes now; None: it stays as it is."""
    recent, evidence = health.recent_share, _evidence(health.recent_share, health.baseline)
    if health.demoted_at is None and has_fallen(recent, baseline=health.baseline):
        why = Trouble.CONVERSION_FELL.value
        fallen = replace(health, demoted_at=now, demoted_for=why, relapses=health.relapses + 1, recent="")
        return RouteVerdict(Decided.ROUTE_DEMOTED, fallen, why, evidence)
    if health.demoted_at is not None and has_returned(recent, baseline=health.baseline):
        restored = replace(health, demoted_at=None, demoted_for=None)
        return RouteVerdict(Decided.ROUTE_RESTORED, restored, "conversion_returned", evidence)
    return None


def alarm_of(health: Health, *, now: datetime) -> RouteVerdict | None:
    """Return what is to be told of a group's breaker: that it has opened, or that it has closed for good; or None."""
    breaker, told_at = health.breaker, health.breaker_told_at
    is_closed = breaker.state is BreakerState.CLOSED
    if not is_closed and told_at is None:
        failing_s = 0.0 if breaker.run_began_at is None else (now - breaker.run_began_at).total_seconds()
        evidence: dict[str, JsonScalar] = {"failing_for_s": round(failing_s), "probes_lost": breaker.probes_lost}
        return RouteVerdict(Decided.BREAKER_OPENED, replace(health, breaker_told_at=now), "breaker_open", evidence)
    if is_closed and told_at is not None and now - told_at >= timedelta(seconds=TOLD_AT_MOST_EVERY_S):
        evidence = {"told_open_for_s": round((now - told_at).total_seconds())}
        return RouteVerdict(Decided.BREAKER_CLOSED, replace(health, breaker_told_at=None), "breaker_closed", evidence)
    return None


def is_news(before: Health, after: Health, *, now: datetime) -> bool:
    """Say whether what was learnt of a group is to be judged at once: its breaker moved, or there is a verdict."""
    was_open, is_open = (each.breaker.state is not BreakerState.CLOSED for each in (before, after))
    return was_open != is_open or verdict_of(after, now=now) is not None


def pool_record(records: Iterable[NumberRecord]) -> NumberRecord:
    """Return what is known of all of a pool's numbers together."""
    total = _NOTHING
    for each in records:
        total = NumberRecord(
            proved=_sum(total.proved, each.proved),
            received=_sum(total.received, each.received),
            blocked=_sum(total.blocked, each.blocked),
            spam=_sum(total.spam, each.spam),
            throttled=_sum(total.throttled, each.throttled),
        )
    return total


def trouble_among(number: NumberRecord, others: Iterable[NumberRecord]) -> tuple[Trouble, dict[str, JsonScalar]] | None:
    """Return what speaks against a number compared with the other numbers of its pool, and the figures; or None."""
    pool = pool_record(others)
    trouble = trouble_of(number, pool=pool)
    return None if trouble is None else (trouble, _compared(trouble, number, pool))


def trial_among(
    number: NumberRecord, others: Iterable[NumberRecord]
) -> tuple[Trouble | None, dict[str, JsonScalar]] | None:
    """Return how a number's trial ended and the figures: by trouble, or by none; None while it goes on."""
    pool = pool_record(others)
    trouble = relapse_of(number, pool=pool)
    if trouble is not None:
        return trouble, _compared(trouble, number, pool)
    return (None, _evidence(number.proved, pool.proved)) if has_proved_itself(number, pool=pool) else None


def _compared(trouble: Trouble, number: NumberRecord, pool: NumberRecord) -> dict[str, JsonScalar]:
    compared = {
        Trouble.CONVERSION_LOW: (number.proved, pool.proved),
        Trouble.RECEIPTS_LOW: (number.received, pool.received),
        Trouble.SENDER_BLOCKED: (number.blocked, pool.blocked),
        Trouble.SPAM_REPORTED: (number.spam, pool.spam),
        Trouble.THROTTLED: (number.throttled, pool.throttled),
    }
    return _evidence(*compared.get(trouble, (number.proved, pool.proved)))


def _evidence(seen: Share, before: Share) -> dict[str, JsonScalar]:
    """Return shares as whole numbers of thousandths, which every reader writes alike."""
    return {
        "seen_of_1000": round(seen.rate * 1000),
        "seen": round(seen.total),
        "expected_of_1000": round(before.rate * 1000),
        "expected_from": round(before.total),
    }


def _sum(one: Share, other: Share) -> Share:
    return Share(one.of + other.of, one.total + other.total)
