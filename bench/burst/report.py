"""What a burst came to: in which order it left, how fast, how late, and how well callers were told."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bench.load.driver import percentile

# From a message's turn to its going lie a timer of its workflow and one activity.
_PACE_KEPT = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One message of the burst: when it was planned, left (None: never), and its code ends."""

    id: UUID
    planned_at: datetime
    left_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """By how many seconds what callers were told at one moment was wrong; `at_s` after the line stood."""

    at_s: float
    told: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a burst.

    `out_of_order` messages left before one whose code ended sooner, once all stood in line; `while_arriving` did so
    before, when that one may not have got so far. `most_in_1_s` is the fullest second.
    """

    messages: int
    sent: int
    late: int
    not_in_time: int
    lost: int
    out_of_order: int
    while_arriving: int
    starts_s: float
    drain_s: float
    parts_per_s: float
    pace: float
    most_in_1_s: int
    visits: float
    estimates: tuple[Estimates, ...]

    @property
    def is_kept(self) -> bool:
        """Say whether everything that is promised holds."""
        is_paced = self.pace >= _PACE_KEPT * self.parts_per_s and self.most_in_1_s <= self.parts_per_s + 1
        is_accounted_for = not self.lost and self.sent + self.not_in_time == self.messages
        return is_accounted_for and not self.late and not self.out_of_order and is_paced


def out_of_order(messages: Sequence[Left], *, since: datetime, until: datetime) -> int:
    """Return how many messages left within a span while another one had been planned whose code ended sooner."""
    gone = sorted((each for each in messages if each.left_at is not None), key=lambda each: _moment(each.left_at))
    waiting = sorted(each.expires_at for each in messages)
    found = 0
    planned = sorted(messages, key=lambda each: each.planned_at)
    waiting, arrived = [], 0
    for each in gone:
        left_at = _moment(each.left_at)
        while arrived < len(planned) and planned[arrived].planned_at < left_at:
            insort(waiting, planned[arrived].expires_at)
            arrived += 1
        place = bisect_left(waiting, each.expires_at)
        found += since <= left_at < until and place > 0
        del waiting[place]
    return found


def pace_of(messages: Sequence[Left], *, since: datetime) -> tuple[float, float]:
    """Return for how many seconds messages left after a moment, and how many did in each."""
    moments = sorted(each.left_at for each in messages if each.left_at is not None and each.left_at >= since)
    if len(moments) < 2:
        return 0.0, 0.0
    drain_s = (moments[-1] - moments[0]).total_seconds()
    return drain_s, (len(moments) - 1) / drain_s


def fullest_second(messages: Sequence[Left]) -> int:
    """Return how many messages left in the fullest second."""
    moments = sorted(each.left_at for each in messages if each.left_at is not None)
    second = timedelta(seconds=1)
    return max((bisect_left(moments, each + second) - at for at, each in enumerate(moments)), default=0)


def estimates_of(
    told: Mapping[UUID, datetime], messages: Sequence[Left], *, asked_at: datetime, since: datetime
) -> Estimates:
    """Compare what callers were told with what happened."""
    left = {each.id: each.left_at for each in messages}
    errors = [abs((moment - at).total_seconds()) for each, at in told.items() if (moment := left[each]) is not None]
    return Estimates(
        at_s=(asked_at - since).total_seconds(),
        told=len(errors),
        median_s=round(percentile(errors, 50), 2) if errors else 0.0,
        p95_s=round(percentile(errors, 95), 2) if errors else 0.0,
    )


def _moment(at: datetime | None) -> datetime:
    assert at is not None  # noqa: S101 - of those that left
    return at
