"""How many requests a key may make: ten a second, twenty at once, counted by the `limits` library.

An account may have a limit of its own over all of its keys. In memory for one API process, in Redis for several.
Security and money limits are not here: they are in SQL.
"""

import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from domain.errors import AuthenticationThrottledError, LimitsUnavailableError, RateLimitedError
from domain.facts import Caller
from domain.oauth import TOKEN_REQUESTS_PER_S

_LEAK_REPORTS_PER_MINUTE = RateLimitItemPerMinute(20)
# Twenty in any two seconds: ten a second for long, and twenty at once after a pause.
_BURST_S = 2


class RequestRates:
    """Lets requests through, or says when the next one may come."""

    def __init__(self, *, default_per_s: int, failures_per_min: int, redis_url: str | None = None) -> None:
        storage: Storage = (
            MemoryStorage()
            if redis_url is None
            else RedisStorage(f"async+{redis_url}", wrap_exceptions=True, implementation="redispy")
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._default_per_s = default_per_s
        self._failures = RateLimitItemPerMinute(failures_per_min) if failures_per_min else None

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

    async def count_failure(self, address: str | None) -> None:
        """Count a credential that was not one of ours against the address that it came from.

        A right credential from the same address is let through all the same: nobody can guess 190 bits, and a wrong one
        must not be able to shut out its neighbours behind one address.

        Raises:
            AuthenticationThrottledError: it is one too many, and the caller is not told that it was wrong.

        """
        if self._failures is None:
            return
        until_s = await self._wait_s(self._failures, "failed", address or "unknown")
        if until_s is not None:
            raise AuthenticationThrottledError(
                "Too many credentials from this address are not known here; wait.", retry_after_s=until_s
            )

    async def admit_client(self, client_id: str) -> None:
        """Count a request of a client for a token, or about one; where keys have no request rate, it has none either.

        Who has not proved to be the client is counted as a failure instead, so that nobody uses up another's.

        Raises:
            RateLimitedError: it is one too many.
            LimitsUnavailableError: the counts cannot be reached.

        """
        if not self._default_per_s:
            return
        try:
            await self._count(f"client/{client_id}", TOKEN_REQUESTS_PER_S, whose="This client")
        except StorageError as error:
            raise LimitsUnavailableError("Requests cannot be counted now; try again.", retry_after_s=2) from error

    async def admit_leak_report(self, address: str | None) -> None:
        """Count a report of a leaked key, which anybody may send.

        Raises:
            RateLimitedError: it is one too many of this address.

        """
        until_s = await self._wait_s(_LEAK_REPORTS_PER_MINUTE, "leak-report", address or "unknown")
        if until_s is not None:
            raise RateLimitedError("Too many reports from this address; wait.", retry_after_s=until_s)

    async def _wait_s(self, item: RateLimitItem, *of: str) -> float | None:
        """Count one, and return None; or how long to wait, where it is one too many. What cannot be counted passes."""
        try:
            if await self._limiter.hit(item, *of):
                return None
            return (await self._limiter.get_window_stats(item, *of)).reset_time - time.time()
        except StorageError:
            return None

    async def _count(self, of: str, per_s: int, *, whose: str) -> None:
        item = RateLimitItemPerSecond(per_s * _BURST_S, _BURST_S)
        if not await self._limiter.hit(item, of):
            window = await self._limiter.get_window_stats(item, of)
            raise RateLimitedError(
                f"{whose} may make {per_s} requests a second; slow down.",
                retry_after_s=window.reset_time - time.time(),
                fields={"limit": per_s, "remaining": window.remaining},
            )
