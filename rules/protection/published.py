"""The limits as `GET /v1/limits` publishes them: read from the constants and settings that are in force."""

from typing import Any

from domain.challenge import DEFAULT_TTL_S, LIVE_CODES, MAX_CODE_LENGTH, MAX_TTL_S, MIN_CODE_LENGTH, MIN_TTL_S
from domain.oauth import ASSERTION_LIFETIME_S, TOKEN_LIFETIME_S, TOKEN_REQUESTS_PER_S
from rules.protection.checks import DELAY_FROM_FAILURE, DELAYS_S, LOCK_S, CheckLimits
from rules.protection.sends import GAPS_S, WINDOWS
from rules.routing.failover import MAX_ATTEMPTS_PER_SEND


def published_limits(
    checks: CheckLimits, *, requests_per_s: int, wrong_checks_per_hour: int, wrong_checks_per_hour_instance: int
) -> dict[str, Any]:
    """Return every limit that holds, in seconds and counts."""
    return {
        "number": {
            "seconds_between_sends": list(GAPS_S),
            "sends": [{"count": each.count, "per_s": each.length_s} for each in WINDOWS],
            "automatic_attempts_per_send": MAX_ATTEMPTS_PER_SEND,
        },
        "checks": {
            "per_verification": checks.per_verification,
            "per_number_per_day": checks.per_day,
            "failures_in_a_row": checks.failures_in_a_row,
            "lock_s": LOCK_S,
            "delays": {"from_failure": DELAY_FROM_FAILURE, "seconds": list(DELAYS_S)},
            "wrong_per_hour_account": wrong_checks_per_hour,
            "wrong_per_hour_instance": wrong_checks_per_hour_instance,
        },
        "codes": {
            "length": {"min": MIN_CODE_LENGTH, "max": MAX_CODE_LENGTH},
            "ttl_s": {"default": DEFAULT_TTL_S, "min": MIN_TTL_S, "max": MAX_TTL_S},
            "alive_at_once": LIVE_CODES,
        },
        "api": {"requests_per_s": requests_per_s, "burst": 2 * requests_per_s, "body_bytes": 65_536},
        "tokens": {
            "lifetime_s": TOKEN_LIFETIME_S,
            "requests_per_s": TOKEN_REQUESTS_PER_S if requests_per_s else 0,
            "assertion_lifetime_s": ASSERTION_LIFETIME_S,
        },
    }
