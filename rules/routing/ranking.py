"""Order the routes that may be taken: as the account says, or by what a *verified code* is expected to need on each.

Pure: no clock, no I/O; what is left to chance comes from a generator that is an argument, and its seed is recorded.
A carrier that is cheap per message but rarely converts is an expensive carrier, so the price of a message never ranks
alone. Each group of routes draws a conversion rate from what is known of it (Thompson sampling): what is well known
draws near its rate, what is hardly known draws anywhere, and so is tried now and then. Ties are broken, so that the
answer depends on the set of routes and not on their order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, assert_never
from zlib import crc32

from domain.routing import Mode
from rules.routing.candidates import Candidate

# A cheaper route may convert this much less, as a share of the best one's rate, and still be taken.
TOLERANCE = 0.05
# What is stored is what was compared, and no longer than it must be.
_EXACT_TO = 4
# A rate may be drawn as nothing; a price over nothing is no number.
_LEAST_RATE = 1e-4


class Chance(Protocol):
    """Where draws come from: a seeded `Random` of Python's own."""

    def betavariate(self, alpha: float, beta: float, /) -> float:
        """Return a draw from a Beta distribution."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """What ranking needs of a route, and all that it needs: it is stored, so that the choice can be made again.

    `tries` is how often this verification used the carrier before. `affinity` orders the senders of a group for one
    recipient, always in the same way; the sender that the recipient saw last has the least but for one on trial.
    """

    id: str
    group: str
    place: int
    price_micros: int
    alpha: float
    beta: float
    tries: int = 0
    affinity: int = 0
    probes: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """A route in its place. `score` is the conversion rate drawn for its group; None where nothing was drawn."""

    entrant: Entrant
    score: float | None


_Key: TypeAlias = tuple[float, ...]


def entrant_of(candidate: Candidate, *, tries: int = 0, recipient: str = "", last_sender: str | None = None) -> Entrant:
    """Return what ranking needs of a candidate. `recipient` is a hash, never a number."""
    evidence = candidate.evidence
    return Entrant(
        id=candidate.id,
        group=candidate.group,
        place=candidate.place,
        price_micros=candidate.price_micros,
        alpha=round(evidence.alpha, _EXACT_TO),
        beta=round(evidence.beta, _EXACT_TO),
        tries=tries,
        affinity=_affinity(candidate, recipient, last_sender),
        probes=candidate.probes,
    )


def _affinity(candidate: Candidate, recipient: str, last_sender: str | None) -> int:
    if candidate.proves:
        return -1
    sender = candidate.route.sender
    return 0 if sender == last_sender else 1 + crc32(sender.encode(), crc32(recipient.encode()))


def rank(entrants: Iterable[Entrant], *, mode: Mode, chance: Chance) -> tuple[Ranked, ...]:
    """Return the routes, best first; those whose carrier this verification has tried less go before the others.

    A route that is probed goes first, but in `ordered`, where it keeps its place: there an account's order stands.
    """
    listed = sorted(entrants, key=_name)
    scores = {} if mode is Mode.ORDERED else _draws(listed, chance)
    by_mode = _by_mode(mode, scores, best=_best_by_tries(listed, scores))

    def key(each: Entrant) -> tuple[int, bool, _Key, int, str]:
        is_probed_first = each.probes and mode is not Mode.ORDERED
        return (each.tries, not is_probed_first, by_mode(each), each.affinity, each.id)

    return tuple(Ranked(each, scores.get(each.group)) for each in sorted(listed, key=key))


def _name(entrant: Entrant) -> str:
    return entrant.id


def _draws(entrants: Iterable[Entrant], chance: Chance) -> dict[str, float]:
    """Draw a conversion rate for each group, in the order of their names."""
    known = {each.group: (each.alpha, each.beta) for each in entrants}
    return {group: round(chance.betavariate(*known[group]), _EXACT_TO) for group in sorted(known)}


def _best_by_tries(entrants: Iterable[Entrant], scores: Mapping[str, float]) -> dict[int, float]:
    best: dict[int, float] = {}
    for each in entrants:
        best[each.tries] = max(best.get(each.tries, 0.0), scores.get(each.group, 0.0))
    return best


def _by_mode(mode: Mode, scores: Mapping[str, float], *, best: Mapping[int, float]) -> Callable[[Entrant], _Key]:
    """Return what a mode orders by, least first."""
    match mode:
        case Mode.ORDERED:
            return lambda each: (each.place,)
        case Mode.BEST:
            return lambda each: (-scores[each.group], each.price_micros)
        case Mode.CHEAPEST:
            return lambda each: (each.price_micros / max(scores[each.group], _LEAST_RATE), -scores[each.group])
        case Mode.ADAPTIVE:
            good = {tries: rate * (1 - TOLERANCE) for tries, rate in best.items()}
            return lambda each: (
                (0, each.price_micros, -scores[each.group])
                if scores[each.group] >= good[each.tries]
                else (1, -scores[each.group], each.price_micros)
            )
        case _:
            assert_never(mode)
