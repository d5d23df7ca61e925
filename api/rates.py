"""How many requests a key may make: ten a second, twenty at once, counted by the `limits` library.

An account may have a limit of its own over all of its keys. In memory for one API process, in Redis for several.
Security and money limits are not here: they are in SQL.
"""

import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from domain.errors import LimitsUnavailableError, RateLimitedError
from domain.facts import Caller

# Twenty in any two seconds: ten a second for long, and twenty at once after a pause.
_BURST_S = 2


class RequestRates:
    """Lets requests through, or says when the next one may come."""

    def __init__(self, *, default_per_s: int, redis_url: str | None = None) -> None:
        storage: Storage = (
            MemoryStorage()
            if redis_url is None
            else RedisStorage(f"async+{redis_url}", wrap_exceptions=True, implementation="redispy")
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._default_per_s = default_per_s

    @property
    def default_per_s(self) -> int:
        """Return how many requests a second a key may make unless it says otherwise; 0 is no limit."""
        return self._default_per_s

    async def admit(self, caller: Caller, *, is_reading: bool) -> None:
        """Count a request of a key, and of its account where that has a limit of its own over all of its keys.

        Raises:
            RateLimitedError: it is one too many.
            LimitsUnavailableError: the counts cannot be reached; what only reads is let through all the same.

        """
        per_s = self._default_per_s if caller.requests_per_s is None else caller.requests_per_s
        try:
            if per_s:
                await self._count(caller.key_id, per_s, whose="This key")
            if caller.account_requests_per_s is not None:
                await self._count(caller.account_id.hex, caller.account_requests_per_s, whose="This account")
        except StorageError as error:
            if not is_reading:
                raise LimitsUnavailableError("Requests cannot be counted now; try again.", retry_after_s=2) from error

    async def _count(self, of: str, per_s: int, *, whose: str) -> None:
        item = RateLimitItemPerSecond(per_s * _BURST_S, _BURST_S)
        if not await self._limiter.hit(item, of):
            window = await self._limiter.get_window_stats(item, of)
            raise RateLimitedError(
                f"{whose} may make {per_s} requests a second; slow down.",
                retry_after_s=window.reset_time - time.time(),
                fields={"limit": per_s, "remaining": window.remaining},
            )
