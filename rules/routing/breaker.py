"""A carrier's connection that fails hard is left alone, and asked again with one message a second at most.

Pure: the moment is an argument. A hard failure is one that says something of the carrier and nothing of the message:
refused connections, silence after the request left, errors of its own, a region without workers. What a carrier does
silently is no matter of a breaker; conversion shows it (`health.py`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.statuses import FailureClass, SubmissionStatus

# This many in a row over at least a second: also at one message in five seconds it opens within ten.
IN_A_ROW = 3
RUN_S = 1
# So many in a row need no time: at high rates several submissions can meet one hiccup.
IN_A_ROW_AT_ONCE = 5
# Most of the last ten: a carrier that answers now and then is no better.
REMEMBERED, MOST_OF_THEM = 10, 6
# What was seen before such a pause says nothing of now.
STALE_S = 60
# Between two probes; doubled by each that is lost, up to the longest.
PROBE_EVERY_S, PROBE_AT_LEAST_EVERY_S = 1, 32
# So many probes in a row close it.
PROBES_TO_CLOSE = 3

_HARD = frozenset({FailureClass.ROUTE_TEMPORARY, FailureClass.ACCOUNT, FailureClass.UNKNOWN})


class BreakerState(StrEnum):
    """Closed: messages pass. Open: none but a probe now and then. Half open: the last probe passed."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Its state is one row. `recent` has a letter for each of the last outcomes, newest last: failed or passed."""

    state: BreakerState = BreakerState.CLOSED
    recent: str = ""
    run_began_at: datetime | None = None
    seen_at: datetime | None = None
    probe_at: datetime | None = None
    probes_lost: int = 0
    probes_passed: int = 0


def is_hard_failure(status: SubmissionStatus, failure_class: FailureClass | None) -> bool:
    """Say whether an answer to a submission speaks against the carrier's connection."""
    return status is SubmissionStatus.UNKNOWN or (status is SubmissionStatus.REJECTED and failure_class in _HARD)


def may_probe(breaker: Breaker, *, now: datetime) -> bool:
    """Say whether a message may be a probe now; whoever sends it takes the probe first."""
    return breaker.state is not BreakerState.CLOSED and breaker.probe_at is not None and breaker.probe_at <= now


def probe_taken(breaker: Breaker, *, now: datetime) -> Breaker:
    """Return the breaker after a probe was taken: the next one is due after the pause."""
    return replace(breaker, probe_at=now + timedelta(seconds=probe_pause_s(breaker.probes_lost)))


def after_outcome(breaker: Breaker, *, is_hard: bool, now: datetime, is_probe: bool = False) -> Breaker:
    """Return the breaker after the outcome of one submission.

    Once it is open only probes count: what was on its way when it opened tells nothing new.
    """
    if breaker.state is BreakerState.CLOSED:
        return _after_message(breaker, is_hard=is_hard, now=now)
    return _after_probe(breaker, is_hard=is_hard, now=now) if is_probe else breaker


def _after_message(breaker: Breaker, *, is_hard: bool, now: datetime) -> Breaker:
    stale = breaker.seen_at is not None and now - breaker.seen_at > timedelta(seconds=STALE_S)
    recent = (("" if stale else breaker.recent) + ("f" if is_hard else "p"))[-REMEMBERED:]
    began = (now if stale else breaker.run_began_at or now) if is_hard else None
    if not _opens(recent, began, now=now):
        return replace(breaker, recent=recent, run_began_at=began, seen_at=now)
    return Breaker(
        state=BreakerState.OPEN, run_began_at=began, seen_at=now, probe_at=now + timedelta(seconds=PROBE_EVERY_S)
    )


def _opens(recent: str, run_began_at: datetime | None, *, now: datetime) -> bool:
    if run_began_at is None:
        return False
    run = len(recent) - len(recent.rstrip("f"))
    lasts = now - run_began_at >= timedelta(seconds=RUN_S)
    return (run >= IN_A_ROW and lasts) or run >= IN_A_ROW_AT_ONCE or recent.count("f") >= MOST_OF_THEM


def _after_probe(breaker: Breaker, *, is_hard: bool, now: datetime) -> Breaker:
    if is_hard:
        lost = breaker.probes_lost + 1
        return replace(
            breaker,
            state=BreakerState.OPEN,
            seen_at=now,
            probe_at=now + timedelta(seconds=probe_pause_s(lost)),
            probes_lost=lost,
            probes_passed=0,
        )
    passed = breaker.probes_passed + 1
    if passed >= PROBES_TO_CLOSE:
        return Breaker(seen_at=now)
    return replace(breaker, state=BreakerState.HALF_OPEN, seen_at=now, probes_lost=0, probes_passed=passed)


def probe_pause_s(lost: int) -> int:
    """Return how long after a probe the next one is due, when so many in a row were lost."""
    return int(min(PROBE_EVERY_S * 2 ** min(lost, 10), PROBE_AT_LEAST_EVERY_S))
