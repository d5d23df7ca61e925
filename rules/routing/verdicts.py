"""What is decided about routes and numbers from what was learnt of them: set aside, or taken back; with the evidence.

Pure. A decision is a word and the figures that it rests on, so that whoever asks later is told what was seen then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.audit import JsonScalar
from rules.routing.health import NumberRecord, Trouble, has_fallen, has_returned, trouble_of
from rules.routing.learning import Health
from rules.routing.proportions import Share

_NOTHING = NumberRecord(proved=Share(0, 0), received=Share(0, 0), blocked=Share(0, 0), spam=Share(0, 0))


class Decided(StrEnum):
    """What can be decided. The words are stored."""

    ROUTE_DEMOTED = "route.demoted"
    ROUTE_RESTORED = "route.restored"
    NUMBER_QUARANTINED = "number.quarantined"
    NUMBER_RESTORED = "number.restored"


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
    """What becomes of a group of routes, what is known of it from then on, and why."""

    decided: Decided
    health: Health
    evidence: Mapping[str, JsonScalar]


def verdict_of(health: Health, *, now: datetime) -> RouteVerdict | None:
    """Return what is to be decided about a group of routes now; None: it stays as it is."""
    recent, evidence = health.recent_share, _evidence(health.recent_share, health.baseline)
    if health.demoted_at is None and has_fallen(recent, baseline=health.baseline):
        fallen = replace(
            health, demoted_at=now, demoted_for=Trouble.CONVERSION_FELL.value, relapses=health.relapses + 1, recent=""
        )
        return RouteVerdict(Decided.ROUTE_DEMOTED, fallen, evidence)
    if health.demoted_at is not None and has_returned(recent, baseline=health.baseline):
        return RouteVerdict(Decided.ROUTE_RESTORED, replace(health, demoted_at=None, demoted_for=None), evidence)
    return None


def pool_record(records: Iterable[NumberRecord]) -> NumberRecord:
    """Return what is known of all of a pool's numbers together."""
    total = _NOTHING
    for each in records:
        total = NumberRecord(
            proved=_sum(total.proved, each.proved),
            received=_sum(total.received, each.received),
            blocked=_sum(total.blocked, each.blocked),
            spam=_sum(total.spam, each.spam),
        )
    return total


def trouble_among(number: NumberRecord, others: Iterable[NumberRecord]) -> tuple[Trouble, dict[str, JsonScalar]] | None:
    """Return what speaks against a number compared with the other numbers of its pool, and the figures; or None."""
    pool = pool_record(others)
    trouble = trouble_of(number, pool=pool)
    if trouble is None:
        return None
    compared = {
        Trouble.CONVERSION_LOW: (number.proved, pool.proved),
        Trouble.RECEIPTS_LOW: (number.received, pool.received),
        Trouble.SENDER_BLOCKED: (number.blocked, pool.blocked),
        Trouble.SPAM_REPORTED: (number.spam, pool.spam),
    }
    return trouble, _evidence(*compared.get(trouble, (number.proved, pool.proved)))


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
