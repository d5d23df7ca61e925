"""The one checker: joins API log, database and the carriers' ledger, and names every promise that was broken.

Pure: evidence in, sentences out. No sentence holds a number or a code.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from bench.chaos.api_log import Exchange
from bench.chaos.evidence import Evidence

_ENDS = frozenset({"approved", "canceled", "expired", "max_attempts_reached", "failed"})
_PENDING = "pending"
# How long after its deadline a verification may still wait for the one who writes `expired`: upkeep comes every 20 s.
OVERDUE_S = 60.0
_NOT_STARTED = "temporal-unavailable"
_UNAVAILABLE = 503


def broken_promises(evidence: Evidence) -> list[str]:
    """Return every broken promise."""
    return [each for check in _CHECKS for each in check(evidence)]


def _nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    for told in evidence.exchanges:
        if told.is_done and told.verification.startswith("ver_") and told.verification not in evidence.verifications:
            yield f"{told.verification} was acknowledged ({told.kind} {told.status}) and is not in the database"


def _each_ends_once(evidence: Evidence) -> Iterator[str]:
    for row in evidence.verifications.values():
        overdue_s = (evidence.read_at - row.expires_at).total_seconds()
        if row.status == _PENDING and overdue_s > OVERDUE_S:
            yield f"{row.id} has been overdue for {overdue_s:.0f} s"
        if row.status not in _ENDS and row.status != _PENDING:
            yield f"{row.id} is {row.status}, which is no state"
    for verification, told in _ends_told(evidence).items():
        row_status = evidence.verifications[verification].status if verification in evidence.verifications else "gone"
        # A verification is told as expired from its deadline on, a moment before the row says so.
        if told - {row_status} and not (told == {"expired"} and row_status == _PENDING):
            yield f"{verification} was told to have ended as {sorted(told)} and is {row_status}"


def _ends_told(evidence: Evidence) -> dict[str, set[str]]:
    told: defaultdict[str, set[str]] = defaultdict(set)
    for each in evidence.exchanges:
        word = each.answer.get("status") if each.is_done else each.answer.get("verification_status")
        if isinstance(word, str) and word in _ENDS:
            told[each.verification].add(word)
    return told


def _each_attempt_is_sent_once(evidence: Evidence) -> Iterator[str]:
    for attempt, times in Counter(entry.attempt_id for entry in evidence.ledger).items():
        if times > 1:
            status = evidence.attempts[attempt].status if attempt in evidence.attempts else "not in the database"
            yield f"{attempt} ({status}) was handed to a carrier {times} times"


def _what_was_sent_is_known(evidence: Evidence) -> Iterator[str]:
    for entry in evidence.ledger_before:
        row = evidence.attempts.get(entry.attempt_id)
        if row is None:
            yield f"{entry.attempt_id} was handed to {entry.carrier} and is not in the database"
        elif not row.is_begun:
            yield f"{entry.attempt_id} was handed to {entry.carrier} and is {row.status}, never begun"
        elif (row.carrier, row.number) != (entry.carrier, entry.to):
            yield f"{entry.attempt_id} went to {entry.carrier}, not where its row says"


def _only_right_codes_are_approved(evidence: Evidence) -> Iterator[str]:
    for told in evidence.exchanges:
        row = evidence.verifications.get(told.verification)
        if told.kind != "checks" or told.status != 200 or row is None:
            continue
        was_right = (told.sent or {}).get("code") in row.codes
        if told.answer.get("valid") is not was_right:
            yield f"{row.id}: a {'right' if was_right else 'wrong'} code was answered {told.answer.get('valid')}"
        if told.answer.get("valid") and row.status != "approved":
            yield f"{row.id} was answered as approved and is {row.status}"


def _guesses_are_limited(evidence: Evidence) -> Iterator[str]:
    wrong = Counter(each.verification for each in evidence.exchanges if _is_wrong(each))
    for row in evidence.verifications.values():
        if wrong[row.id] > row.max_checks:
            yield f"{row.id}: {wrong[row.id]} wrong codes were compared, {row.max_checks} are allowed"
        if not 0 <= row.checks <= row.max_checks:
            yield f"{row.id} counts {row.checks} checks of {row.max_checks}"
        if row.checks < wrong[row.id]:
            yield f"{row.id} counts {row.checks} checks, {wrong[row.id]} wrong ones were answered"


def _is_wrong(exchange: Exchange) -> bool:
    return exchange.kind == "checks" and exchange.status == 200 and exchange.answer.get("valid") is False


def _each_is_approved_once(evidence: Evidence) -> Iterator[str]:
    proved = Counter(each.verification for each in evidence.attempts.values() if each.is_proved)
    for row in evidence.verifications.values():
        wanted = 1 if row.status == "approved" else 0
        if proved[row.id] != wanted:
            yield f"{row.id} is {row.status} and has {proved[row.id]} proved attempts"


def _answers_are_expected(evidence: Evidence) -> Iterator[str]:
    """Each answer is a success, a problem that was expected, or a 503; only an API that was away gives none."""
    for told in evidence.exchanges:
        if told.is_done or (told.is_problem and (told.status == _UNAVAILABLE or told.code in told.expected)):
            continue
        was_away = any(each.overlaps(told.at, told.at + told.took_s) for each in evidence.outages)
        if told.status is None and was_away:
            continue
        yield f"{told.method} {told.kind} was answered {told.status or 'not at all'} {told.code}, not expected here"


def _refused_starts_leave_nothing(evidence: Evidence) -> Iterator[str]:
    """A start that was only ever answered "not started" has no row; references name the starts."""
    tries: defaultdict[str, list[Exchange]] = defaultdict(list)
    for each in evidence.exchanges:
        if each.kind == "start" and each.sent is not None and "reference" in each.sent:
            tries[str(each.sent["reference"])].append(each)
    kept = {row.reference: row for row in evidence.verifications.values() if row.reference is not None}
    for reference, told in tries.items():
        if reference in kept and all(each.code == _NOT_STARTED for each in told):
            row = kept[reference]
            yield f"{row.id} is there ({row.status}), every start of it was answered {_NOT_STARTED}"


_CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    _nothing_is_lost,
    _each_ends_once,
    _each_attempt_is_sent_once,
    _what_was_sent_is_known,
    _only_right_codes_are_approved,
    _guesses_are_limited,
    _each_is_approved_once,
    _answers_are_expected,
    _refused_starts_leave_nothing,
)
