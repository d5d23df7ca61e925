"""How long something usually takes: counts in buckets that grow, which can be added up over workers and days.

Pure. Buckets are as wide as a share of their value (5 % to either side), so that a quantile is as exact for seconds as
for hours, and a sketch of everything from milliseconds to days has a few hundred buckets at most.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ERROR = 0.05
_GROWTH = (1 + ERROR) / (1 - ERROR)
_SHORTEST_S, _LONGEST_S = 0.001, 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts by bucket; they need not be whole, as old ones fade."""

    counts: Mapping[int, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return how many durations it holds."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """Return the duration in seconds that this share of them stays within, to 5 %; None of an empty sketch."""
        total, seen = self.total, 0.0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= share * total and total > 0:
                return _middle_of(bucket)
        return None

    def faded(self, share: float) -> "Sketch":
        """Return the sketch with each count at this share of itself; what is next to nothing is forgotten."""
        return Sketch({bucket: count * share for bucket, count in self.counts.items() if count * share > ERROR})


def sketch_of(durations_s: Iterable[float]) -> Sketch:
    """Return the sketch of some durations."""
    counts: dict[int, float] = {}
    for each in durations_s:
        bucket = _bucket_of(each)
        counts[bucket] = counts.get(bucket, 0) + 1
    return Sketch(counts)


def merged(*sketches: Sketch) -> Sketch:
    """Return the sketch of all that several sketches saw; their order does not matter."""
    counts: dict[int, float] = {}
    for sketch in sketches:
        for bucket, count in sketch.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
    return Sketch(counts)


def to_text(sketch: Sketch) -> str:
    """Return what is stored."""
    return json.dumps({str(bucket): round(sketch.counts[bucket], 3) for bucket in sorted(sketch.counts)})


def of_text(text: str) -> Sketch:
    """Return the sketch that was stored."""
    return Sketch({int(bucket): float(count) for bucket, count in json.loads(text).items()})


def _bucket_of(duration_s: float) -> int:
    return math.ceil(math.log(min(max(duration_s, _SHORTEST_S), _LONGEST_S), _GROWTH))


def _middle_of(bucket: int) -> float:
    """Return the value that is at most 5 % from everything in a bucket."""
    return float(2 * _GROWTH**bucket / (_GROWTH + 1))
