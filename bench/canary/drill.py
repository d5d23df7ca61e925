"""The canary drill: many verifications through real processes, then every number and code looked for in every trace.

How a find is told from chance. Codes have eight digits, and count only as a whole run of digits outside hashes, ids and
fractions of a second (`search.py`); for every string that was issued ten are searched for that were not
(`needles.py`). Numbers, national parts and codes must not be found at all. The middle of a number, which masking takes
out, has five or six digits, and chance does find those: it may be found as often as strings never issued of the same
length are, and no more than chance explains once in a million runs.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.canary.lives import Lives
from bench.canary.needles import CONTROLS, Needles, controls_of, needles_of
from bench.canary.places import places
from bench.canary.search import Hit, search
from bench.chaos.evidence import gather_evidence
from bench.chaos.installation import Installation

_ONCE_IN = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found in one place, and what of strings that were never issued."""

    size_bytes: int
    issued: Counter[Hit]
    never_issued: Counter[Hit]

    @property
    def leaked(self) -> list[str]:
        """Return what was found and is not to be explained by chance."""
        exact = [f"{hit.kind} {hit.needle}, {hit.view}" for hit in self.issued if hit.kind != "middle"]
        middles = _total(self.issued, "middle")
        by_chance = (_total(self.never_issued, "middle") + 1) / CONTROLS
        if middles > most_by_chance(by_chance):
            exact.append(f"{middles} middles of numbers, where chance explains {by_chance:.1f}")
        return exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run: how it went, what was searched for, and what was found where."""

    outcomes: Mapping[str, int]
    needles: Needles
    findings: Mapping[str, Finding]

    @property
    def leaks(self) -> list[str]:
        """Return everything found that must not be there."""
        return [f"{place}: {what}" for place, finding in self.findings.items() for what in finding.leaked]

    def lines(self) -> list[str]:
        """Return the report, a line for each place."""
        first = f"  {len(self.needles.numbers)} numbers, {len(self.needles.codes)} codes; " + ", ".join(
            f"{how} {count}" for how, count in sorted(self.outcomes.items())
        )
        return [first, *(f"  {place:<20} {_line(finding)}" for place, finding in self.findings.items())]


async def canaries(site: Installation, *, count: int, seed: int, at_once: int = 20) -> Report:
    """Live so many verifications, and search what they have left."""
    lives = Lives(site, seed=seed)
    await lives.live(count, at_once=at_once)
    evidence = await gather_evidence(site)
    issued = {code for row in evidence.verifications.values() for code in row.codes}
    needles = needles_of(lives.numbers, lives.codes | issued)
    return await look(site, needles, lives, seed=seed)


async def look(site: Installation, needles: Needles, lives: Lives, *, seed: int) -> Report:
    """Search every place for needles."""
    both = needles | controls_of(needles, seed=seed)
    found = await places(site, workflows=[f"verification/{each}" for each in lives.verifications])
    findings = {place: finding_of(chunks, both, issued=needles) for place, chunks in found.items()}
    return Report(outcomes=lives.outcomes, needles=needles, findings=findings)


def finding_of(chunks: Sequence[bytes], needles: Needles, *, issued: Needles) -> Finding:
    """Search once for everything, and tell what was issued from what was not."""
    hits = search(chunks, needles)
    return Finding(
        size_bytes=sum(map(len, chunks)),
        issued=Counter({hit: times for hit, times in hits.items() if hit.needle in issued}),
        never_issued=Counter({hit: times for hit, times in hits.items() if hit.needle not in issued}),
    )


def most_by_chance(expected: float) -> int:
    """Return how many finds chance explains (Poisson) in all but one of a million runs."""
    count, term = 0, math.exp(-expected)
    below = term
    while 1 - below > 1 / _ONCE_IN:
        count += 1
        term *= expected / count
        below += term
    return count


def _total(hits: Counter[Hit], kind: str) -> int:
    return sum(times for hit, times in hits.items() if hit.kind == kind)


def _line(finding: Finding) -> str:
    exact = sum(times for hit, times in finding.issued.items() if hit.kind != "middle")
    control = sum(times for hit, times in finding.never_issued.items() if hit.kind != "middle")
    middles, of_chance = _total(finding.issued, "middle"), _total(finding.never_issued, "middle")
    return (
        f"{finding.size_bytes / 1e6:8.2f} MB  numbers and codes {exact} (never issued, x{CONTROLS}: {control}), "
        f"middles {middles} (never issued, x{CONTROLS}: {of_chance})"
    )
