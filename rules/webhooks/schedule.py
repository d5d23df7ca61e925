"""When a webhook is tried again, and when an endpoint is left in peace.

Pure: the moment is an argument, and so is the chance that spreads retries. Two things are kept apart. A *delivery* has
its schedule: an event that its receiver cannot digest is tried less and less often while the others go on. An
*endpoint* that fails several times in a row, or for minutes, is down: then all wait, one probe goes out every five
minutes, and with the first success everything that waited is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.webhooks import WebhookFacts

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Seconds until the try after the first, the second, ...: after the last one a delivery is given up (`security.md` §7).
WAITS_S = (
    5,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
JITTER = 0.2
# So many failures in a row, with no success between them, and the endpoint is taken to be down.
DOWN_AFTER = 5
PROBE_EVERY_S = 5 * _MINUTE
DISABLED_AFTER_S = 5 * _DAY
# What an endpoint that is asked to be left alone, without saying for how long, is left alone for.
THROTTLED_S = 30
MOST_THROTTLED_S = _HOUR
FULL_PACE = 16
_GONE = 410
_THROTTLING = frozenset({429, 502, 504})


class DisabledReason(StrEnum):
    """Why an endpoint is sent nothing."""

    BY_ACCOUNT = "by_account"
    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one try: a status, or none. `retry_after_s` is what the receiver asked for."""

    status: int | None
    retry_after_s: int | None = None

    @property
    def is_success(self) -> bool:
        """Say whether the webhook was taken. A redirect is a failure: nobody is led elsewhere."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the range is the meaning

    @property
    def is_throttling(self) -> bool:
        """Say whether the receiver, or what stands before it, asks for fewer."""
        return not self.is_success and (self.status in _THROTTLING or self.retry_after_s is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """How an endpoint has been doing. Seconds count from the moment of judging; negative ones have passed.

    `failures` are those in a row; `failing_for_s` is since the first of them; `pace` is how many posts run at once.
    """

    failures: int = 0
    failing_for_s: float | None = None
    probe_in_s: float | None = None
    quiet_for_s: float | None = None
    pace: int = FULL_PACE
    disabled: DisabledReason | None = None

    @property
    def is_down(self) -> bool:
        """Say whether only probes go out."""
        return self.failures >= DOWN_AFTER or (self.failing_for_s or 0.0) >= PROBE_EVERY_S


def state_of(facts: WebhookFacts) -> EndpointState:
    """Return how a stored endpoint has been doing, as far as it decides on what comes next."""
    since = facts.failing_since
    return EndpointState(
        failures=facts.failures,
        failing_for_s=None if since is None else (facts.read_at - since).total_seconds(),
        pace=facts.pace,
    )


def next_try_s(tries: int, *, chance: float, retry_after_s: int | None = None) -> float | None:
    """Return the seconds until the next try after so many; None when there is none any more.

    `chance` is in [0, 1) and spreads the wait over ± 20 %; nobody is tried again before it asked to be.
    """
    if tries > len(WAITS_S):
        return None
    wait_s = WAITS_S[tries - 1] * (1 - JITTER + 2 * JITTER * chance)
    return max(wait_s, float(min(retry_after_s or 0, MOST_THROTTLED_S)))


def after_tries(state: EndpointState, outcomes: Sequence[Outcome]) -> EndpointState:
    """Return how an endpoint does after some tries, in the order in which they ended."""
    for outcome in outcomes:
        state = _after_success(state) if outcome.is_success else _after_failure(state, outcome)
    return state


def _after_success(state: EndpointState) -> EndpointState:
    """One success, and the endpoint is back; a narrowed pace widens step by step."""
    return replace(state, failures=0, failing_for_s=None, probe_in_s=None, pace=min(FULL_PACE, state.pace + 1))


def _after_failure(state: EndpointState, outcome: Outcome) -> EndpointState:
    failing_for_s = 0.0 if state.failing_for_s is None else state.failing_for_s
    after = replace(state, failures=state.failures + 1, failing_for_s=failing_for_s)
    if outcome.status == _GONE:
        return replace(after, disabled=DisabledReason.GONE)
    if failing_for_s >= DISABLED_AFTER_S:
        return replace(after, disabled=DisabledReason.FAILING)
    if outcome.is_throttling:
        asked_s = outcome.retry_after_s if outcome.retry_after_s is not None else THROTTLED_S
        after = replace(after, quiet_for_s=float(min(asked_s, MOST_THROTTLED_S)), pace=max(1, after.pace // 2))
    return replace(after, probe_in_s=float(PROBE_EVERY_S)) if after.is_down else after
