"""Whether a route, or a number, still does its work, judged by the codes that came back.

Pure. A receipt is a weak word, so conversion decides. Who is set aside comes back by a little traffic that proves it,
never by time alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rules.routing.evidence import PRIOR_ATTEMPTS, PRIOR_RATE
from rules.routing.proportions import Share, lower_bound, z_of_fall

# Fewer attempts show a fall only when it is total.
ATTEMPTS_AT_LEAST = 30
# By chance alone once in some four thousand looks; a look costs nothing and a false alarm costs trust.
FALL_Z = 3.5
# A fall that nobody would notice is none, however surely it can be measured: a tenth of the baseline's rate.
FALL_OF = 0.1
# A number that proves fewer than this share of its pool's rate, with this confidence, is no good.
OF_THE_POOL, CONFIDENCE = 0.5, 0.95
# A number is believed to be like its pool until it shows otherwise, by so few attempts that it soon can.
POOL_PRIOR_ATTEMPTS = 4
# Two in a hundred refused for their sender are no accident any more.
BLOCKED_SHARE = 0.02
SPAM_SHARE = 0.01
# Told "too fast" one time in five, and twice as often as its pool's others, a number carries less than it should.
THROTTLED_SHARE, THROTTLED_OF_THE_POOL = 0.2, 2
RECEIPTS_OF_THE_POOL = 0.5
FIRST_QUARANTINE_H, LONGEST_QUARANTINE_H = 24, 24 * 30
# Of a pool's messages, at most this share goes to what is set aside, to see whether it is back.
PROBE_SHARE = 0.02
# So many probes are judged together.
PROBES_TO_RETURN = 10
# A number that has not proved itself by so many does not do its work.
TRIAL_AT_MOST = 60
# In service for so long, it has not relapsed: it was set aside anew.
FORGIVEN_AFTER = timedelta(hours=LONGEST_QUARANTINE_H)


class Trouble(StrEnum):
    """Why a route or a number was set aside."""

    CONVERSION_FELL = "conversion_fell"
    CONVERSION_LOW = "conversion_low"
    RECEIPTS_LOW = "receipts_low"
    SENDER_BLOCKED = "sender_blocked"
    SPAM_REPORTED = "spam_reported"
    THROTTLED = "throttled"


# Whoever replaces a number that recipients or carriers turned against spreads; the next one would be worn out as well.
TURNED_AGAINST = frozenset({Trouble.SENDER_BLOCKED, Trouble.SPAM_REPORTED})
MAY_BE_ROTATED = frozenset({Trouble.CONVERSION_LOW, Trouble.RECEIPTS_LOW, Trouble.THROTTLED})


_NONE = Share(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRecord:
    """What a number's latest messages met: shares of its attempts."""

    proved: Share
    received: Share
    blocked: Share
    spam: Share
    throttled: Share = _NONE


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Until when, and which one in a row: the next is longer."""

    until: datetime
    relapses: int


def has_fallen(now: Share, *, baseline: Share) -> bool:
    """Say whether a route converts less than it used to, by the two-proportion test against its own baseline."""
    if min(now.total, baseline.total) < ATTEMPTS_AT_LEAST:
        return False
    return now.rate < baseline.rate * (1 - FALL_OF) and z_of_fall(now, before=baseline) >= FALL_Z


def has_returned(probes: Share, *, baseline: Share) -> bool:
    """Say whether what was set aside does its work again: enough probes, and none of the fall left in them."""
    least = baseline.rate * OF_THE_POOL
    prior = Share(baseline.rate, 1)
    return probes.total >= PROBES_TO_RETURN and lower_bound(probes, confidence=CONFIDENCE, prior=prior) >= least


def may_probe(*, probes: int, messages: int) -> bool:
    """Say whether one more of a pool's messages may be a probe, given how many were so far."""
    return probes + 1 <= PROBE_SHARE * (messages + 1)


def trouble_of(
    number: NumberRecord, *, pool: NumberRecord, attempts_at_least: int = ATTEMPTS_AT_LEAST
) -> Trouble | None:
    """Return what speaks against a number, the gravest first, compared with the rest of its pool; None if nothing."""
    if _is_over(number.spam, SPAM_SHARE):
        return Trouble.SPAM_REPORTED
    if _is_over(number.blocked, BLOCKED_SHARE):
        return Trouble.SENDER_BLOCKED
    if _is_throttled(number.throttled, pool.throttled):
        return Trouble.THROTTLED
    if number.proved.total < attempts_at_least:
        return None
    if _is_far_below(number.proved, pool.proved, of=OF_THE_POOL):
        return Trouble.CONVERSION_LOW
    return Trouble.RECEIPTS_LOW if _is_far_below(number.received, pool.received, of=RECEIPTS_OF_THE_POOL) else None


def relapse_of(number: NumberRecord, *, pool: NumberRecord) -> Trouble | None:
    """Return why a number on trial is set aside again, by what it met since it came back; None while it is not."""
    trouble = trouble_of(number, pool=pool, attempts_at_least=PROBES_TO_RETURN)
    if trouble is None and number.proved.total >= TRIAL_AT_MOST and not has_proved_itself(number, pool=pool):
        return Trouble.CONVERSION_LOW
    return trouble


def has_proved_itself(number: NumberRecord, *, pool: NumberRecord) -> bool:
    """Say whether a number on trial does its work: nothing speaks against it, and enough codes came back."""
    baseline = pool.proved if pool.proved.total > 0 else Share(PRIOR_ATTEMPTS * PRIOR_RATE, PRIOR_ATTEMPTS)
    trouble = trouble_of(number, pool=pool, attempts_at_least=PROBES_TO_RETURN)
    return trouble is None and has_returned(number.proved, baseline=baseline)


def score(number: NumberRecord, *, pool: NumberRecord) -> float:
    """Return the number's health, 0 to 1: the conversion rate that it can be trusted to have."""
    return lower_bound(number.proved, confidence=CONFIDENCE, prior=_prior(pool.proved))


def in_a_row(*, relapses: int, in_service_for: timedelta) -> int:
    """Return how many quarantines a number has had in a row, when it did its work for so long since the last one."""
    return 0 if in_service_for >= FORGIVEN_AFTER else relapses


def quarantine(*, relapses: int, now: datetime) -> Quarantine:
    """Return the quarantine that follows so many earlier ones in a row: a day, doubled each time, a month at most."""
    hours = min(FIRST_QUARANTINE_H * 2 ** min(relapses, 10), LONGEST_QUARANTINE_H)
    return Quarantine(until=now + timedelta(hours=hours), relapses=relapses + 1)


def _is_over(share: Share, limit: float) -> bool:
    """Say whether a share is surely over a limit: what it can be trusted to be, with nothing believed before."""
    return lower_bound(share, confidence=CONFIDENCE, prior=Share(limit, 1)) > limit


def _is_throttled(number: Share, pool: Share) -> bool:
    """Say whether a number is told "too fast" more than its pool's others are: then it is not the connection."""
    is_told_more = pool.total > 0 and number.rate >= THROTTLED_OF_THE_POOL * pool.rate
    return is_told_more and _is_over(number, THROTTLED_SHARE)


def _is_far_below(number: Share, pool: Share, *, of: float) -> bool:
    """Say whether a number's rate is surely under a part of its pool's: what it can be trusted not to be over."""
    missed = Share(number.total - number.of, number.total)
    most = 1 - lower_bound(missed, confidence=CONFIDENCE, prior=_prior(Share(pool.total - pool.of, pool.total)))
    return pool.total > 0 and most < pool.rate * of


def _prior(pool: Share) -> Share:
    """Return what is believed of a number before it is known: that it is like its pool."""
    rate = min(max(pool.rate, 0.01), 0.99)
    return Share(rate * POOL_PRIOR_ATTEMPTS, POOL_PRIOR_ATTEMPTS)
