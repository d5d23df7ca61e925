"""The drill against the running product: messages at an even pace, carriers that fail, codes that come back late.

Everything goes over HTTP, as customers, carriers and people have it. What is to happen is done at its moment, one thing
after the other; between two of them the product is left alone until nothing in it is due any more.
"""

import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count

from bench.outage.carriers import Behaviour, Handed, Word, receipt
from bench.outage.numbers import AUTHORISED, SenderOf
from bench.outage.town import Town
from workflows.pool_health import EVERY_S

_CODE = re.compile(r"\b\d{6}\b")
_RECEIPT_AFTER_S = 2.0
# As `services/pool_judging.py` has it.
_ON_NEWS_EVERY_S = 1.0
# The verification has ended, or expired: its code was typed too late.
_FINISHED = 409
_Step = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Asked:
    """One message that was asked for: the carriers that got it in order, when it arrived, whether its code came back.

    `refused_s` is when a carrier refused it last, until the next one has it.
    """

    at_s: float
    verification: str = ""
    routed: list[str] = field(default_factory=list)
    refused_s: float | None = None
    arrived_s: float | None = None
    is_proved: bool = False


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a run shows: messages in the order of their starts, how long fail-overs took, what nobody authorised."""

    asked: dict[str, Asked] = field(default_factory=dict)
    failed_over_s: list[float] = field(default_factory=list)
    unauthorised: int = 0


class Drill:
    """Runs messages through a town. Moments are seconds since the drill began."""

    def __init__(
        self, town: Town, *, behave: Callable[[str, float], Behaviour], seed: int, typed_after_s: float
    ) -> None:
        self._town, self._behave = town, behave
        self._rng = random.Random(f"{seed}/product")
        self._typed_after_s = typed_after_s
        self._began_s = town.clock.now_s
        self._steps: list[tuple[float, int, _Step]] = []
        self._order = count()
        self._judge_again_s = 0.0
        self.seen = Seen()
        town.carriers.behave, town.carriers.did = self._handed, self._did

    async def run(self, *, messages: int, per_s: float, progress: Callable[[int], None]) -> Seen:
        """Ask for messages at an even pace and let everything happen; return what was seen."""
        ends_s = messages / per_s + self._typed_after_s + 60
        for number in range(messages):
            self._at(number / per_s, partial(self._ask, number, progress))
        self._at(0.0, partial(self._judge_by_the_clock, ends_s))
        while self._steps and self._steps[0][0] <= ends_s:
            if self._town.judges.are_asked and self._now_s >= self._judge_again_s:
                await self._judge()
            elif self._steps[0][0] > self._now_s:
                await self._town.hop(self._began_s + self._steps[0][0])
            else:
                await heappop(self._steps)[2]()
        return self.seen

    @property
    def _now_s(self) -> float:
        return self._town.clock.now_s - self._began_s

    def _at(self, at_s: float, step: _Step) -> None:
        heappush(self._steps, (at_s, next(self._order), step))

    async def _ask(self, number: int, progress: Callable[[int], None]) -> None:
        to = f"+4474{number:08d}"
        asked = self.seen.asked[to] = Asked(at_s=self._now_s)
        answer = await self._town.api.post("/v1/verifications", json={"to": to})
        asked.verification = answer.raise_for_status().json()["id"]
        progress(number + 1)

    async def _judge_by_the_clock(self, ends_s: float) -> None:
        await self._judge()
        if self._now_s + EVERY_S <= ends_s:
            self._at(self._now_s + EVERY_S, partial(self._judge_by_the_clock, ends_s))

    async def _judge(self) -> None:
        self._judge_again_s = self._now_s + _ON_NEWS_EVERY_S
        await self._town.judge()

    def _handed(self, message: Handed) -> Behaviour:
        """Note that a carrier has a message, and say what it does with it."""
        asked = self.seen.asked[message.to]
        if asked.refused_s is not None:
            self.seen.failed_over_s.append(self._now_s - asked.refused_s)
            asked.refused_s = None
        asked.routed.append(message.carrier)
        self.seen.unauthorised += SenderOf(message.sender, message.carrier) not in AUTHORISED
        return self._behave(message.carrier, self._now_s)

    def _did(self, message: Handed, behaviour: Behaviour) -> None:
        """Have what a carrier took arrive, be reported and be typed."""
        asked = self.seen.asked[message.to]
        if behaviour.word is Word.REFUSES:
            asked.refused_s = self._now_s
        if behaviour.has_receipt:
            self._at(self._now_s + _RECEIPT_AFTER_S, partial(self._report, message))
        if not behaviour.arrives:
            return
        asked.arrived_s = self._now_s if asked.arrived_s is None else asked.arrived_s
        if self._rng.random() < behaviour.conversion:
            found = _CODE.search(message.text)
            assert found is not None  # noqa: S101 - a message without a code is no message of ours
            self._at(self._now_s + self._typed_after_s, partial(self._type, asked, found[0]))

    async def _report(self, message: Handed) -> None:
        body, headers = receipt(message.reference)
        answer = await self._town.api.post(f"/receipts/{message.carrier}", content=body, headers=headers)
        answer.raise_for_status()

    async def _type(self, asked: Asked, code: str) -> None:
        answer = await self._town.api.post(f"/v1/verifications/{asked.verification}/checks", json={"code": code})
        if answer.status_code != _FINISHED:
            asked.is_proved = answer.raise_for_status().json()["valid"]
