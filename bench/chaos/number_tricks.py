"""F22: spellings of one number that are not strict E.164 are refused, so that no spelling gets limits of its own."""

from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation
from bench.chaos.verdict import Plan, Verdict

_REFUSED = ("invalid-number", "unknown-country", "number-type-not-allowed", "invalid-request")
_TTL_S = 60


def tricks(number: str) -> list[str]:
    """Return 35 spellings of a number (`+33639980000`), none of them strict E.164."""
    digits, country, rest = number[1:], number[1:3], number[3:]
    return [
        digits,
        f"00{digits}",
        f"011{digits}",
        f"0{rest}",
        rest,
        f" {number}",
        f"{number} ",
        f"{number}\n",
        f"{number}\r\n",
        f"\t{number}",
        f"{number}\x00",
        f"++{digits}",
        f"+ {digits}",
        f"+0{digits}",
        f"+{country}0{rest}",
        f"+{country}(0){rest}",
        f"+{country} {rest}",
        f"+{country}-{rest}",
        f"+{country}.{rest}",
        f"({number})",
        f"+{country}/{rest}",
        f"{number};ext=1",
        f"{number}x1",
        f"{number}#1",
        f"{number},1",
        f"tel:{number}",
        f"{rest};phone-context=+{country}",
        f"{number[:6]}\u200b{number[6:]}",
        f"\ufeff{number}",
        f"\u202a{number}\u202c",
        f"\uff0b{digits}",
        "+" + "".join(chr(0xFF10 + int(digit)) for digit in digits),
        "+" + "".join(chr(0x0660 + int(digit)) for digit in digits),
        f"+{country}{rest[:3]}\u00a0{rest[3:]}",
        f"{number}0000000",
    ]


async def number_tricks(site: Installation, plan: Plan) -> Verdict:
    """Start a number, then all its other spellings, then itself again: one verification, one message, one bucket."""
    numbers = [site.numbers.of_gb_pool() for _ in range(plan.size(short=1, long=20))]
    problems: list[str] = []
    refused = 0
    for number in numbers:
        begun = await site.client.start(number, ttl_s=_TTL_S)
        forms = [await site.client.start(form, ttl_s=_TTL_S, expect=_REFUSED) for form in tricks(number)]
        again = await site.client.start(number, ttl_s=_TTL_S, expect=("too-soon",))
        await site.inbox.codes(number, within_s=15)
        refused += sum(1 for form in forms if form.status == 422)
        accepted = [at for at, form in enumerate(forms) if form.status != 422]
        problems += [f"spelling {at} was answered {forms[at].status}" for at in accepted]
        if (begun.status, again.code) != (201, "too-soon"):
            problems.append(f"the number itself was answered {begun.status}, then {again.status} {again.code}")
        plan.say(f"{refused} refused")
    evidence = await gather_evidence(site)
    made = [row for number in numbers for row in evidence.of_number(number)]
    sent = [entry for number in numbers for entry in evidence.sent_to(number)]
    if len(made) != len(numbers):
        problems.append(f"{len(made)} verifications of {len(numbers)} numbers")
    return Verdict(
        fault="F22",
        database=site.kind,
        done=f"{len(tricks(numbers[0]))} spellings of {len(numbers)} numbers beside the strict one",
        counts={"refused": refused, "verifications": len(made), "sends": len(sent)},
        problems=problems + broken_promises(evidence),
    )
