"""The run whose traces are searched: verifications that are refused, fail over, are resent, guessed at and approved.

Codes have eight digits, the longest there are, so that none is somebody else's number by chance.
"""

import asyncio
import random
import re
from collections import Counter
from enum import StrEnum

from sqlalchemy import update

from bench.chaos.installation import Installation
from domain.sandbox import SandboxBehaviour
from store.tables import NumberGuard, table_of
from store.times import now_plus

_CODE = re.compile(r"\b[0-9]{8}\b")
_LENGTH, _TTL_S = 8, 120
_ARRIVES_S, _LOOK_EVERY_S = 30.0, 0.1
_guard = table_of(NumberGuard)


class Life(StrEnum):
    """What becomes of a verification."""

    RIGHT = "right"
    WRONG_THEN_RIGHT = "wrong_then_right"
    ALL_WRONG = "all_wrong"
    REFUSED_FIRST = "refused_first"
    UNDELIVERED_FIRST = "undelivered_first"
    RESENT = "resent"
    CANCELED = "canceled"
    MISTYPED = "mistyped"


class Lives:
    """Lives verifications, and keeps what must be found nowhere: numbers, codes that arrived, guesses made."""

    def __init__(self, site: Installation, *, seed: int) -> None:
        self._site = site
        self._rng = random.Random(f"{seed}/canary")
        self.numbers: set[str] = set()
        self.codes: set[str] = set()
        self.verifications: list[str] = []
        self.outcomes: Counter[str] = Counter()

    async def live(self, count: int, *, at_once: int) -> None:
        """Live so many, every kind in turn."""
        room, kinds = asyncio.Semaphore(at_once), list(Life)

        async def one(life: Life) -> None:
            async with room:
                self.outcomes[f"{life}: {await self._live(life)}"] += 1

        async with asyncio.TaskGroup() as group:
            for each in range(count):
                group.create_task(one(kinds[each % len(kinds)]))

    async def _live(self, life: Life) -> str:
        is_gb = self._rng.random() < 0.5
        number = self._site.numbers.of_gb_pool() if is_gb else self._site.numbers.of_us_pool()
        self.numbers.add(number)
        await self._script("alpha" if is_gb else "charlie", life, number)
        if life is Life.MISTYPED:
            await self._site.client.start(f"{number}x", reference=f"canary {life}")
            await self._site.client.call(f"/v1/verifications?created_after={number}", method="GET")
        begun = await self._site.client.start(number, code_length=_LENGTH, ttl_s=_TTL_S)
        if not begun.is_done:
            return f"not started ({begun.status} {begun.code})"
        self.verifications.append(begun.verification)
        codes = await self._arrived(number, at_least=1)
        return await self._end(life, begun.verification, number, codes)

    async def _end(self, life: Life, verification: str, number: str, codes: list[str]) -> str:
        client = self._site.client
        match life:
            case Life.CANCELED:
                return str((await client.call(f"/v1/verifications/{verification}/cancel")).answer.get("status"))
            case Life.ALL_WRONG:
                return await self._guess(verification, codes, times=5)
            case Life.WRONG_THEN_RIGHT:
                await self._guess(verification, codes, times=2)
            case Life.RESENT:
                await self._let_time_pass(number)
                await client.call(f"/v1/verifications/{verification}/resend")
                codes = await self._arrived(number, at_least=2)
        return str((await client.check(verification, codes[-1])).answer.get("status"))

    async def _guess(self, verification: str, right: list[str], *, times: int) -> str:
        last = ""
        for _ in range(times):
            guess = f"{self._rng.randrange(10**_LENGTH):0{_LENGTH}}"
            if guess in right:
                continue
            # Guesses are not ours to write down either.
            self.codes.add(guess)
            last = str((await self._site.client.check(verification, guess)).answer.get("status"))
        return last

    async def _script(self, first: str, life: Life, number: str) -> None:
        behaviours = {
            Life.REFUSED_FIRST: SandboxBehaviour.REFUSE,
            Life.UNDELIVERED_FIRST: SandboxBehaviour.UNDELIVERED,
        }
        if life in behaviours:
            await self._site.control.set_behaviour(first, behaviour=behaviours[life], times=1, to=number)

    async def _arrived(self, number: str, *, at_least: int) -> list[str]:
        """Return the codes that a handset has got, once there are so many."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _ARRIVES_S
        while True:
            texts = [each.text for each in await self._site.control.messages(number)]
            codes = [code for text in texts for code in _CODE.findall(text)]
            self.codes.update(codes)
            if len(codes) >= at_least:
                return codes
            if clock() > deadline:
                raise TimeoutError(f"{len(codes)} of {at_least} messages arrived")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _let_time_pass(self, number: str) -> None:
        """Have the gap between two messages to a number be over."""
        mine = _guard.c.number_hash == self._site.keys.lookup_hash(number)
        async with self._site.database.transaction() as connection:
            await connection.execute(update(_guard).where(mine).values(next_send_at=now_plus(-1)))
