"""Choose a route and say why: what was there, what was removed by which rules, what was drawn, what was taken.

Pure. The explanation is stored with the attempt. From it the choice can be made again, in two ways: with the same seed
the draws come out the same, and from the stored draws the same route is taken whatever generator made them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from domain.routing import Mode
from rules.routing.candidates import Candidate, Situation
from rules.routing.eligibility import Removed, Rule, eligible
from rules.routing.ranking import Chance, Entrant, Ranked, entrant_of, rank

# Raised when the meaning of what is stored changes, so that old explanations are never replayed by new rules.
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One choice: `ranked` best first, of which the first was taken; empty when nothing could be."""

    mode: Mode
    seed: int
    ranked: tuple[Ranked, ...]
    removed: tuple[Removed, ...]
    is_degraded: bool = False
    version: int = VERSION

    @property
    def taken(self) -> str | None:
        """Return the id of the route that was taken."""
        return self.ranked[0].entrant.id if self.ranked else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The route to take, None when there is none, and the explanation."""

    candidate: Candidate | None
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What this verification and this recipient have seen: carriers tried, how often; the sender of the last days.

    `recipient` is a hash, never a number.
    """

    tries: Mapping[str, int]
    recipient: str
    last_sender: str | None = None


def choose(
    candidates: Iterable[Candidate], situation: Situation, before: Before, *, mode: Mode, seed: int, chance: Chance
) -> Decision:
    """Return the route to take and why. `chance` must be a fresh generator with this seed."""
    found = eligible(candidates, situation)
    by_id = {each.id: each for each in found.candidates}
    entrants = [
        entrant_of(
            each,
            tries=before.tries.get(each.route.carrier, 0),
            recipient=before.recipient,
            last_sender=before.last_sender,
        )
        for each in by_id.values()
    ]
    explanation = Explanation(
        mode=mode,
        seed=seed,
        ranked=rank(entrants, mode=mode, chance=chance),
        removed=found.removed,
        is_degraded=found.is_degraded,
    )
    return Decision(None if explanation.taken is None else by_id[explanation.taken], explanation)


def replay(explanation: Explanation, *, chance: Chance) -> str | None:
    """Make the choice again from its seed; return the id of the route that is taken now."""
    entrants = [each.entrant for each in explanation.ranked]
    again = rank(entrants, mode=explanation.mode, chance=chance)
    return again[0].entrant.id if again else None


def replay_from_draws(explanation: Explanation) -> str | None:
    """Make the choice again from the draws that are stored, where another Python may draw otherwise."""
    return replay(explanation, chance=_Recorded(explanation.ranked))


def to_text(explanation: Explanation) -> str:
    """Return what is stored: JSON with a row for each route, in the order of the fields of `Entrant`, then the draw."""
    said = {
        "version": explanation.version,
        "mode": explanation.mode,
        "seed": explanation.seed,
        "is_degraded": explanation.is_degraded,
        "ranked": [[*_values(each.entrant), each.score] for each in explanation.ranked],
        "removed": [[each.id, *each.rules] for each in explanation.removed],
    }
    return json.dumps(said, separators=(",", ":"))


def of_text(text: str) -> Explanation:
    """Return the explanation that was stored.

    Raises:
        KeyError, TypeError, ValueError: the text is no explanation.

    """
    said: dict[str, Any] = json.loads(text)
    return Explanation(
        mode=Mode(said["mode"]),
        seed=said["seed"],
        ranked=tuple(Ranked(Entrant(**dict(zip(_FIELDS, row, strict=True))), score) for *row, score in said["ranked"]),
        removed=tuple(Removed(name, tuple(map(Rule, rules))) for name, *rules in said["removed"]),
        is_degraded=said["is_degraded"],
        version=said["version"],
    )


_FIELDS = tuple(each.name for each in fields(Entrant))
_values = attrgetter(*_FIELDS)


class _Recorded:
    """Gives the draws that were made, in the order in which ranking asks for them: that of the groups' names."""

    def __init__(self, ranked: Iterable[Ranked]) -> None:
        drawn = {each.entrant.group: each.score for each in ranked}
        self._left = iter([drawn[group] for group in sorted(drawn)])

    def betavariate(self, alpha: float, beta: float, /) -> float:
        """Return the next draw; the parameters are those of then."""
        del alpha, beta
        score = next(self._left)
        return 0.0 if score is None else score
