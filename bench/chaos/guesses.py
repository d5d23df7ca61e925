"""F14 and F15: many guesses at once, and guesses after resends: never more are compared than are allowed."""

import asyncio
from collections import Counter

from bench.chaos.api_log import Exchange
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.load import a_wrong_code
from bench.chaos.rows import let_a_day_pass_between_sends
from bench.chaos.verdict import Plan, Verdict
from rules.protection.checks import CHECKS_PER_DAY, CHECKS_PER_VERIFICATION, FAILURES_CAP

_AT_ONCE = 100
_TTL_S = 300
_FINISHED = "verification-finished"


async def guesses_at_once(site: Installation, plan: Plan) -> Verdict:
    """F14: a hundred wrong codes at once over both API processes, then a hundred right ones at a fresh verification."""
    rounds, problems, compared, approved = plan.size(short=1, long=50), [], 0, 0
    for _ in range(rounds):
        wrong = Counter(map(_word, await _guess_at_once(site, is_right=False)))
        right = Counter(map(_word, await _guess_at_once(site, is_right=True)))
        compared, approved = compared + wrong["wrong"], approved + right["right"]
        if wrong != {"wrong": CHECKS_PER_VERIFICATION, _FINISHED: _AT_ONCE - CHECKS_PER_VERIFICATION}:
            problems.append(f"wrong codes were answered {dict(wrong)}")
        if right != {"right": _AT_ONCE}:
            problems.append(f"right codes were answered {dict(right)}")
        plan.say(f"{compared} compared")
    evidence = await gather_evidence(site)
    return Verdict(
        fault="F14",
        database=site.kind,
        done=f"{rounds} times {_AT_ONCE} wrong codes, then {_AT_ONCE} right ones, at once over {len(site.apis)} APIs",
        counts={"compared": compared, "allowed": rounds * CHECKS_PER_VERIFICATION, "told_approved": approved},
        problems=problems + broken_promises(evidence),
    )


async def _guess_at_once(site: Installation, *, is_right: bool) -> list[Exchange]:
    number = site.numbers.any()
    begun = await site.client.start(number, ttl_s=_TTL_S)
    codes = await site.inbox.codes(number, within_s=15)
    code = codes[0] if is_right else a_wrong_code(codes, 0)
    guesses = (site.client.check(begun.verification, code, expect=(_FINISHED,)) for _ in range(_AT_ONCE))
    return await asyncio.gather(*guesses)


def _word(told: Exchange) -> str:
    if told.status != 200:
        return told.code or str(told.status)
    return "right" if told.answer.get("valid") else "wrong"


async def resend_loop(site: Installation, plan: Plan) -> Verdict:
    """F15: guess, resend, guess, start anew, for as long as anything is allowed; rewritten rows save the waiting."""
    loops = [_Loop(site, site.numbers.any()) for _ in range(plan.size(short=1, long=20))]
    for loop in loops:
        await loop.run()
        plan.say(f"{loop.compared} compared before the number was locked")
    evidence = await gather_evidence(site)
    return Verdict(
        fault="F15",
        database=site.kind,
        done=f"{len(loops)} numbers guessed at over resends and new verifications until they were locked",
        counts={
            "verifications": sum(len(evidence.of_number(loop.number)) for loop in loops),
            "resends": sum(loop.resends for loop in loops),
            "compared_per_number": str(sorted({loop.compared for loop in loops})),
            "cap": FAILURES_CAP,
        },
        problems=[problem for loop in loops for problem in loop.problems] + broken_promises(evidence),
    )


class _Loop:
    """Somebody who guesses at one number for as long as it goes."""

    def __init__(self, site: Installation, number: str) -> None:
        self.number = number
        self._site = site
        self.compared = self.resends = 0
        self.problems: list[str] = []

    async def run(self) -> None:
        """Go on until the number is locked; far more rounds than the cap allows would be a problem."""
        cap = min(FAILURES_CAP, CHECKS_PER_DAY)
        while self.compared <= 2 * cap:
            await let_a_day_pass_between_sends(self._site, self.number)
            begun = await self._site.client.start(self.number, ttl_s=_TTL_S, expect=("number-locked",))
            if begun.code == "number-locked":
                break
            if not begun.is_done:
                self.problems.append(f"a start was answered {begun.status} {begun.code}")
                break
            await self._use_up(begun.verification)
        if self.compared != cap:
            self.problems.append(f"{self.compared} wrong codes were compared for one number, {cap} are allowed")

    async def _use_up(self, verification: str) -> None:
        """Guess wrongly, with a resend before every other guess, until the verification is finished."""
        for turn in range(2 * CHECKS_PER_VERIFICATION):
            await let_a_day_pass_between_sends(self._site, self.number)
            if turn % 2:
                await self._resend(verification)
            await let_a_day_pass_between_sends(self._site, self.number)
            codes = await self._site.inbox.codes(self.number, within_s=15)
            told = await self._site.client.check(verification, a_wrong_code(codes, turn), expect=(_FINISHED,))
            self.compared += told.answer.get("valid") is False
            if told.code == _FINISHED or told.answer.get("status") != "pending":
                return

    async def _resend(self, verification: str) -> None:
        before = await self._site.client.call(f"/v1/verifications/{verification}", method="GET")
        told = await self._site.client.call(f"/v1/verifications/{verification}/resend")
        self.resends += told.is_done
        if told.answer.get("checks_left") != before.answer.get("checks_left"):
            self.problems.append(f"{verification}: a resend changed the guesses left")
