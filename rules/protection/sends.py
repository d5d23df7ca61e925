"""How many messages a number may get: growing gaps between them, and at most so many in a window that slides.

Pure. The store keeps a number's latest send times in one row and changes them in one conditional statement; the figures
it uses, and the advice that callers are given, come from here. A message is one that somebody asked for: automatic
fail-over inside it costs the number nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Gaps after the first, second and every further message inside the short window (`security.md` §3).
GAPS_S = (30, 60, 120)


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` messages in any `length_s` seconds."""

    count: int
    length_s: int


SHORT = Window(count=5, length_s=600)
LONG = Window(count=10, length_s=86_400)
WINDOWS = (SHORT, LONG)
# How many send times a number's row must remember for the windows to be exact.
REMEMBERED = max(window.count for window in WINDOWS)


@dataclass(frozen=True, slots=True)
class SendAdvice:
    """What a caller is told: how many messages are left in the tightest window, and from when the next is allowed."""

    sends_left: int
    next_send_at: datetime


def advise(recent: Sequence[datetime], *, next_send_at: datetime, now: datetime) -> SendAdvice:
    """Return the advice for a number, from its latest send times (newest first) and the end of its present gap."""
    left = [window.count - sum(1 for sent in recent if sent > now - _length(window)) for window in WINDOWS]
    free_at = [
        recent[window.count - 1] + _length(window)
        for window in WINDOWS
        if len(recent) >= window.count and recent[window.count - 1] > now - _length(window)
    ]
    return SendAdvice(sends_left=max(0, min(left)), next_send_at=max([next_send_at, *free_at]))


def resend_advised_at(
    sent_at: datetime, *, wait_s: int | None, next_send_at: datetime, expires_at: datetime
) -> datetime | None:
    """Return from when a resend makes sense: nearly all codes that come back have by then, and the limits allow one.

    `wait_s` is how long such codes take; None, as an answer too: there is nothing to advise in the codes' lifetime.
    """
    if wait_s is None:
        return None
    advised = max(sent_at + timedelta(seconds=wait_s), next_send_at)
    return advised if advised < expires_at else None


def _length(window: Window) -> timedelta:
    return timedelta(seconds=window.length_s)
