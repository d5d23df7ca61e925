"""What a drill is given and what it gives back: a plan, a verdict, and the table of verdicts."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How large a run is and which choices it makes; `say` tells whoever watches how far it is."""

    seed: int
    is_short: bool
    say: Callable[[str], None]

    def rng(self, fault: str) -> random.Random:
        """Return a drill's own source of choices, the same for the same seed."""
        return random.Random(f"{self.seed}/{fault}")

    def size(self, *, short: int, long: int) -> int:
        """Return a count or a number of seconds for this run."""
        return short if self.is_short else long


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a drill found: figures, and every promise that was broken."""

    fault: str
    database: str
    done: str
    counts: Mapping[str, int | float | str]
    problems: Sequence[str] = ()

    @property
    def is_passed(self) -> bool:
        """Say whether every promise was kept."""
        return not self.problems

    def line(self) -> str:
        """Return the verdict as one line of the report."""
        figures = ", ".join(f"{name} {value}" for name, value in self.counts.items())
        word = "passed" if self.is_passed else "FAILED"
        return f"{self.fault:<7} {self.database:<11} {word:<7} {self.done}: {figures}"


def report(verdicts: Sequence[Verdict], *, shown: int = 20) -> str:
    """Return the table of a run, each failed drill with its first broken promises."""
    lines = [f"{'fault':<7} {'database':<11} verdict what was done: counts"]
    for verdict in verdicts:
        lines.append(verdict.line())
        lines += [f"        - {problem}" for problem in verdict.problems[:shown]]
        if len(verdict.problems) > shown:
            lines.append(f"        - and {len(verdict.problems) - shown} more")
    return "\n".join(lines)
