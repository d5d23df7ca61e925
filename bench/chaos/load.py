"""The load: people who start verifications and end them in every way there is, with a client that tries again.

A start is repeated under its Idempotency-Key and a check is repeated as it is, after a 503 or no answer, as a careful
caller would. What each life does is decided by the seed before it begins.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from bench.chaos.api_log import ApiClient, Exchange
from bench.chaos.inbox import Inbox, NoMessageError
from bench.chaos.installation import Installation

_TRY_AGAIN_S = 0.25
_IN_FLIGHT = "idempotency-in-flight"
_FINISHED = "verification-finished"
_ENDS = ("approved", "canceled", "max_attempts_reached", "expired", "failed")


class Life(StrEnum):
    """What becomes of a verification, as far as its caller can decide it."""

    RIGHT = "right"
    WRONG_THEN_RIGHT = "wrong_then_right"
    ALL_WRONG = "all_wrong"
    CANCELED = "canceled"
    RESENT = "resent"
    LEFT = "left"


_LIVES = (Life.RIGHT,) * 10 + (Life.WRONG_THEN_RIGHT,) * 4 + (Life.ALL_WRONG, Life.CANCELED, Life.RESENT, Life.LEFT) * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much, how fast, and for how long a caller insists."""

    count: int
    per_s: float
    at_once: int
    ttl_s: int = 30
    patience_s: float = 30.0


async def drive(site: Installation, load: Load, *, rng: random.Random, name: str) -> Counter[str]:
    """Live all lives; return how many ended how, as their callers saw it."""
    room = asyncio.Semaphore(load.at_once)
    outcomes: Counter[str] = Counter()

    async def one(number: str, life: Life, key: str) -> None:
        async with room:
            outcomes[await _Caller(site.client, site.inbox, load).live(number, life, key)] += 1

    async with asyncio.TaskGroup() as group:
        for each in range(load.count):
            group.create_task(one(site.numbers.any(), rng.choice(_LIVES), f"{name}-{each}"))
            await asyncio.sleep(1 / load.per_s)
    return outcomes


async def approve_one(site: Installation, number: str, *, within_s: float, ttl_s: int = 30) -> Exchange:
    """Start one verification, read its code and check it; return the last answer."""
    load = Load(count=1, per_s=1, at_once=1, ttl_s=ttl_s, patience_s=within_s)
    caller = _Caller(site.client, site.inbox, load)
    begun = await caller.start(number, f"one-{number}")
    if not begun.is_done:
        return begun
    codes = await site.inbox.codes(number, within_s=within_s)
    return await caller.check(begun.verification, codes[-1])


class _Caller:
    """One caller with one verification."""

    def __init__(self, client: ApiClient, inbox: Inbox, load: Load) -> None:
        self._client = client
        self._inbox = inbox
        self._load = load

    async def live(self, number: str, life: Life, key: str) -> str:
        """Return how it ended, as far as the caller knows."""
        begun = await self.start(number, key)
        if not begun.is_done:
            return "not_started"
        match life:
            case Life.LEFT:
                return "left"
            case Life.CANCELED:
                return _end_of(await self._insist(lambda: self._cancel(begun.verification)))
            case Life.ALL_WRONG:
                return await self._guess_wrongly(begun.verification, number, times=5)
            case Life.WRONG_THEN_RIGHT:
                await self._guess_wrongly(begun.verification, number, times=2)
            case Life.RESENT:
                await self._client.call(
                    f"/v1/verifications/{begun.verification}/resend", expect=("too-soon", _FINISHED)
                )
        return await self._guess_rightly(begun.verification, number)

    async def start(self, number: str, key: str) -> Exchange:
        """Start, again and again under one key, until the answer is one that counts."""
        body = {"to": number, "ttl_s": self._load.ttl_s, "reference": key}
        return await self._insist(
            lambda: self._client.call("/v1/verifications", body, repeat_key=key, expect=(_IN_FLIGHT,))
        )

    async def check(self, verification: str, code: str) -> Exchange:
        """Check a code until the answer is one that counts."""
        return await self._insist(lambda: self._client.check(verification, code, expect=(_FINISHED,)))

    async def _cancel(self, verification: str) -> Exchange:
        return await self._client.call(f"/v1/verifications/{verification}/cancel", expect=(_FINISHED,))

    async def _guess_rightly(self, verification: str, number: str) -> str:
        try:
            codes = await self._inbox.codes(number, within_s=self._load.ttl_s)
        except NoMessageError:
            return "no_message"
        return _end_of(await self.check(verification, codes[-1]))

    async def _guess_wrongly(self, verification: str, number: str, *, times: int) -> str:
        try:
            right = await self._inbox.codes(number, within_s=self._load.ttl_s)
        except NoMessageError:
            return "no_message"
        last = "left"
        for each in range(times):
            last = _end_of(await self.check(verification, a_wrong_code(right, each)))
        return last

    async def _insist(self, ask: Callable[[], Awaitable[Exchange]]) -> Exchange:
        """Ask until the answer counts, or the caller's patience is over."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._load.patience_s
        while True:
            exchange = await ask()
            counts = exchange.status not in {None, 503} and exchange.code != _IN_FLIGHT
            if counts or clock() > deadline:
                return exchange
            await asyncio.sleep(_TRY_AGAIN_S)


def a_wrong_code(right: list[str], turn: int) -> str:
    """Return a code that is none of these, and another one each turn."""
    return next(
        code for code in (f"{(int(right[0]) + turn + step) % 10**6:06}" for step in range(1, 9)) if code not in right
    )


def _end_of(exchange: Exchange) -> str:
    if exchange.status is None:
        return "no_answer"
    status = str(exchange.answer.get("status") if exchange.is_done else exchange.answer.get("verification_status", ""))
    return status if status in (*_ENDS, "pending") else f"answered_{exchange.status}"
