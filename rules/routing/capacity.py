"""How many message parts a number, or a carrier's connection, may send in a second; and how long the next one waits.

Pure. A token bucket whose whole state is one moment: when what was taken so far will have been paid back (the generic
cell rate algorithm of ITU-T I.371). So taking is one conditional statement in the store, exact on any number of
processes. Times are microseconds since 1970.
"""

from dataclasses import dataclass
from uuid import UUID

MICROS = 1_000_000
# A sender that has a message wait longer than this is passed over where another one has not.
MAY_WAIT_S = 5
# Whoever does not come when its turn is there is not waited for any longer.
LATE_S = 2
# A turn that comes so soon is waited for where the message is: going away and coming back costs more. Whoever goes away
# comes back so long before its turn: what is on its way then is late, and all that stand behind it with it. Between the
# two lies a second: Temporal has no timer end sooner.
WAITS_HERE_S, COMES_EARLY_S = 2.5, 1.5
# Others may stand before it meanwhile. It goes away when it would have waited so long: an activity has to end in time.
# It looks often, so that it goes while its turn is still a second away.
WAITS_HERE_AT_MOST_S, LOOKS_EVERY_S = 4.5, 1.0
# How long nothing leaves after a carrier said "too fast".
THROTTLED_PAUSE_S = 1
# So many tenths of a part's time a part may leave late and be paid from its turn all the same, not from when it left:
# else every lateness would move all that stand behind it, and a line would never have its pace. Less than a part, so
# that no second sees more than one message over the pace. What was free for so many parts' time was not late but idle.
FORGIVEN_TENTHS, IDLE_PARTS = 9, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`part_us` is the time that one part uses up; `slack_us` how far ahead of time parts may be taken.

    With the slack of no time at all, parts leave at an even pace; a message of several parts needs as much as they do.
    """

    part_us: int
    slack_us: int = 0
    free_at_us: int = 0


def bucket_of(parts_per_s: float, *, burst_parts: int = 1) -> Bucket:
    """Return an untouched bucket; `burst_parts` may leave at once after a rest.

    Raises:
        ValueError: the rate or the burst is nothing.

    """
    if parts_per_s <= 0 or burst_parts < 1:
        raise ValueError("a bucket lets at least something through: a rate over 0, a burst of 1 or more")
    part_us = round(MICROS / parts_per_s)
    return Bucket(part_us=part_us, slack_us=(burst_parts - 1) * part_us)


def number_bucket(number_id: UUID) -> str:
    """Return the name of a number's bucket."""
    return f"number/{number_id.hex}"


def connection_bucket(carrier: str, *, region: str) -> str:
    """Return the name of the bucket of a carrier's connection in a region."""
    return f"carrier/{carrier}/{region}"


def may_leave_us(bucket: Bucket, *, now_us: int) -> int:
    """Return from when the next message may leave: now, or later. A message of several parts leaves or waits as one."""
    return max(now_us, bucket.free_at_us - bucket.slack_us)


def paid_from_us(bucket: Bucket, *, now_us: int) -> int:
    """Return from when the next part is paid: its turn, as far as its lateness is forgiven; after a rest now."""
    if now_us - bucket.free_at_us >= bucket.part_us * IDLE_PARTS:
        return now_us
    return max(bucket.free_at_us, now_us - bucket.part_us * FORGIVEN_TENTHS // 10)


def taken(bucket: Bucket, *, parts: int, now_us: int) -> Bucket | None:
    """Return the bucket after so many parts left it; None when they may not leave yet."""
    if may_leave_us(bucket, now_us=now_us) > now_us:
        return None
    free_at = paid_from_us(bucket, now_us=now_us) + parts * bucket.part_us
    return Bucket(part_us=bucket.part_us, slack_us=bucket.slack_us, free_at_us=free_at)


def wait_s(bucket: Bucket, *, parts_ahead: int, now_us: int) -> float:
    """Return the estimate that callers see: until a message leaves that has so many parts waiting before it."""
    starts = paid_from_us(bucket, now_us=now_us) - bucket.slack_us + parts_ahead * bucket.part_us
    return max(0, starts - now_us) / MICROS


def slowed(bucket: Bucket, *, pause_us: int, now_us: int) -> Bucket:
    """Return the bucket after the carrier said "too fast": nothing leaves until the pause is over."""
    free_at = max(bucket.free_at_us, now_us + pause_us + bucket.slack_us)
    return Bucket(part_us=bucket.part_us, slack_us=bucket.slack_us, free_at_us=free_at)
