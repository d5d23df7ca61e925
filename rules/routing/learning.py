"""What the outcome of one message teaches of its route and of its number.

Pure: an outcome and what was known go in, what is known comes out. A submission is judged when it is answered; a
message when its code came back, or when nearly all others would have.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.statuses import Environment, FailureClass, SubmissionStatus
from rules.routing.breaker import Breaker, BreakerState, after_outcome, is_hard_failure
from rules.routing.connections import is_of_the_connection
from rules.routing.evidence import Evidence
from rules.routing.health import FALL_OF, NumberRecord
from rules.routing.proportions import Share
from rules.routing.sketch import Sketch, merged, sketch_of
from rules.routing.timers import receipt_wait_s, verify_wait_s

# A code that has not come back by then counts as not proved (`numbers_and_routing.md`: feedback is 40 s late).
UNPROVED_AFTER_S = 40
# So many latest outcomes are compared with the baseline,
RECENT = 60
# ... or so many where receipts stay away: the lost ones of a route with little traffic would hide among more.
NEWEST = 20
# The baseline forgets slowly: about the last thousand count.
BASELINE_KEEPS = 0.999
SKETCH_KEEPS = 0.99
# A number's record is about the last two hundred of its messages.
NUMBER_KEEPS = 0.995
# A refusal that says nothing of the route: no other one would have done better.
_OF_THE_RECIPIENT = frozenset(
    {FailureClass.RECIPIENT_PERMANENT, FailureClass.RECIPIENT_TEMPORARY, FailureClass.OPTED_OUT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is newly known of an attempt.

    `answer` is there when its submission was answered, `is_proved` when its message is judged; both times are in
    seconds from the answer, None where there is none, or none yet. `connection` names the carrier's. `number_id` is
    None for a sender of the routes file, which teaches of its connection alone.
    """

    environment: Environment
    country: str
    group: str
    number_id: UUID | None
    planned_at: datetime
    at: datetime
    answer: SubmissionStatus | None = None
    failure_class: FailureClass | None = None
    is_proved: bool | None = None
    is_receipt_known: bool = False
    receipt_s: float | None = None
    proof_s: float | None = None
    connection: str = ""
    carrier_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of a group of routes towards a country. `version` is that of the row it was read from.

    `recent` has a letter for each of the latest messages judged, newest last: proved or failed; of a demoted group, for
    those planned since. A wait of None is not learnt yet. `breaker_told_at`: when it was told that the breaker is open.
    """

    version: int = 0
    evidence: Evidence = field(default_factory=Evidence)
    baseline: Share = field(default_factory=lambda: Share(0, 0))
    recent: str = ""
    accepted: float = 0.0
    receipts: Sketch = field(default_factory=Sketch)
    proofs: Sketch = field(default_factory=Sketch)
    breaker: Breaker = field(default_factory=Breaker)
    demoted_at: datetime | None = None
    demoted_for: str | None = None
    relapses: int = 0
    receipt_wait_s: int | None = None
    verify_wait_s: int | None = None
    breaker_told_at: datetime | None = None

    @property
    def recent_share(self) -> Share:
        """Return how many of the latest messages were proved."""
        return Share(self.recent.count("p"), len(self.recent))


def is_judged_at_once(status: SubmissionStatus, failure_class: FailureClass | None) -> bool | None:
    """Return the verdict that an answer alone gives: True is for none, False for a message that will not come back.

    None: it may still come back, so it is waited for.
    """
    if status in {SubmissionStatus.ACCEPTED, SubmissionStatus.UNKNOWN}:
        return None
    return failure_class in _OF_THE_RECIPIENT


def learnt(health: Health, outcome: Outcome, *, number: int) -> Health:
    """Return what is known of a group after an outcome; `number` counts the messages judged for the country."""
    known = health
    if outcome.answer is not None:
        is_hard = is_hard_failure(outcome.answer, outcome.failure_class)
        known = _after_answer(health, outcome, is_hard=is_hard)
    if outcome.is_proved is None:
        return known
    known = replace(known, evidence=known.evidence.learnt(is_proved=outcome.is_proved, number=number))
    if known.demoted_at is None or outcome.planned_at > known.demoted_at:
        known = replace(known, recent=(known.recent + ("p" if outcome.is_proved else "f"))[-RECENT:])
    if known.demoted_at is None:
        known = replace(known, baseline=_counted(known.baseline, is_of=outcome.is_proved, keeps=BASELINE_KEEPS))
    return _with_times(known, outcome)


def learnt_of_connection(health: Health, outcome: Outcome) -> Health:
    """Return what is known of a carrier's connection after an outcome.

    Where nothing is learnt of routes, every hard failure counts: there is no breaker but this.
    """
    if outcome.answer is None:
        return health
    answer, kind = outcome.answer, outcome.failure_class
    is_hard = is_of_the_connection(answer, kind, outcome.carrier_code) or (
        outcome.number_id is None and is_hard_failure(answer, kind)
    )
    return _after_answer(health, outcome, is_hard=is_hard)


def learnt_of_number(record: NumberRecord, outcome: Outcome) -> NumberRecord:
    """Return what is known of a number after an outcome."""
    if outcome.answer is not None:
        kind = outcome.failure_class
        record = replace(
            record,
            blocked=_counted(record.blocked, is_of=kind is FailureClass.BLOCKED_SENDER, keeps=NUMBER_KEEPS),
            spam=_counted(record.spam, is_of=kind is FailureClass.BLOCKED_CONTENT, keeps=NUMBER_KEEPS),
            throttled=_counted(
                record.throttled, is_of=outcome.answer is SubmissionStatus.THROTTLED, keeps=NUMBER_KEEPS
            ),
        )
    if outcome.is_proved is not None:
        record = replace(record, proved=_counted(record.proved, is_of=outcome.is_proved, keeps=NUMBER_KEEPS))
    if outcome.is_receipt_known:
        has_one = outcome.receipt_s is not None
        record = replace(record, received=_counted(record.received, is_of=has_one, keeps=NUMBER_KEEPS))
    return record


def _after_answer(health: Health, outcome: Outcome, *, is_hard: bool) -> Health:
    breaker = health.breaker
    # Once it is open only what was planned since is a probe; the rest was on its way.
    is_probe = breaker.state is not BreakerState.CLOSED and (
        breaker.seen_at is None or outcome.planned_at > breaker.seen_at
    )
    return replace(health, breaker=after_outcome(breaker, is_hard=is_hard, now=outcome.at, is_probe=is_probe))


def _with_times(health: Health, outcome: Outcome) -> Health:
    receipts, accepted, proofs = health.receipts, health.accepted, health.proofs
    if outcome.is_receipt_known:
        accepted = accepted * SKETCH_KEEPS + 1
        receipts = receipts.faded(SKETCH_KEEPS)
        receipts = receipts if outcome.receipt_s is None else merged(receipts, sketch_of([outcome.receipt_s]))
    if outcome.proof_s is not None:
        proofs = merged(proofs.faded(SKETCH_KEEPS), sketch_of([outcome.proof_s]))
    return replace(
        health,
        receipts=receipts,
        accepted=accepted,
        proofs=proofs,
        receipt_wait_s=_receipt_wait(health, _learnt(receipt_wait_s(receipts, accepted=accepted, default_s=-1))),
        verify_wait_s=_learnt(verify_wait_s(proofs, default_s=-1)),
    )


def _receipt_wait(health: Health, wait_s: int | None) -> int | None:
    """Return how long to wait for a receipt: where codes stay away with the receipts, their silence says much."""
    newest = health.recent[-NEWEST:]
    is_worse = Share(newest.count("p"), len(newest)).rate < health.baseline.rate * (1 - FALL_OF)
    return health.receipt_wait_s if wait_s == 0 and is_worse else wait_s


def _learnt(wait_s: int) -> int | None:
    return None if wait_s < 0 else wait_s


def _counted(share: Share, *, is_of: bool, keeps: float) -> Share:
    return Share(share.of * keeps + is_of, share.total * keeps + 1)
