"""F16: a request repeated under one Idempotency-Key is done once."""

import asyncio
from collections import Counter

from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.verdict import Plan, Verdict

_AT_ONCE = 100
_TTL_S = 60


async def repeated_posts(site: Installation, plan: Plan) -> Verdict:
    """Post the same start a hundred times at once over both API processes: one verification, one message."""
    rounds, words, problems = plan.size(short=1, long=50), Counter[str](), []
    for each in range(rounds):
        number = site.numbers.any()
        found, broken = await _round(site, number, key=f"F16-{each}")
        words += found
        problems += broken
        plan.say(f"{each + 1} rounds")
    problems += broken_promises(await gather_evidence(site))
    return Verdict(
        fault="F16",
        database=site.kind,
        done=f"{rounds} times {_AT_ONCE} identical starts at once under one key",
        counts=words,
        problems=problems,
    )


async def _round(site: Installation, number: str, *, key: str) -> tuple[Counter[str], list[str]]:
    body = {"to": number, "ttl_s": _TTL_S, "reference": key}
    told = await asyncio.gather(
        *(
            site.client.call("/v1/verifications", body, repeat_key=key, expect=("idempotency-in-flight",))
            for _ in range(_AT_ONCE)
        )
    )
    await site.inbox.codes(number, within_s=15)
    evidence = await gather_evidence(site)
    made, sent = evidence.of_number(number), evidence.sent_to(number)
    first = [each for each in told if each.is_done and not each.is_replay]
    replays = [each for each in told if each.is_replay]
    again = await site.client.call("/v1/verifications", body, repeat_key=key)
    problems = []
    if (len(made), len(sent), len(first)) != (1, 1, 1):
        problems.append(f"{len(made)} verifications, {len(sent)} sends, {len(first)} first answers under one key")
    if not again.is_replay or any(each.answer != first[0].answer for each in [*replays, again] if first):
        problems.append("a repetition was not told what the first one was told")
    figures = {
        "verifications": len(made),
        "sends": len(sent),
        "replayed": len(replays),
        "in_flight": sum(1 for each in told if each.code == "idempotency-in-flight"),
    }
    return Counter(figures), problems
