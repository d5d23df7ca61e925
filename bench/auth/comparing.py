"""Whether two sets of times can be told apart: medians, the difference of the means, and a rank test."""

import math
from dataclasses import dataclass
from statistics import fmean, median, variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sets of times in microseconds, set against each other."""

    medians: tuple[float, float]
    difference: float
    error: float
    rank_z: float

    def told(self) -> str:
        """Return the figures in words."""
        one, other = self.medians
        return (
            f"  medians      {one:7.1f} µs and {other:.1f} µs: {other - one:+.1f} µs, {(other - one) / one:+.1%}\n"
            f"  means differ by {self.difference:+.1f} ± {self.error:.1f} µs (95 %)\n"
            f"  Mann-Whitney z = {self.rank_z:+.2f} (beyond ±2.58 equals are rarer than 1 in 100)"
        )


def compare(one: list[float], other: list[float]) -> Comparison:
    """Set two sets of times against each other."""
    error = 1.96 * math.sqrt(variance(one) / len(one) + variance(other) / len(other))
    return Comparison(
        medians=(median(one), median(other)),
        difference=fmean(one) - fmean(other),
        error=error,
        rank_z=_rank_z(one, other),
    )


def _rank_z(one: list[float], other: list[float]) -> float:
    """Return the standardised rank sum of the first set (Mann and Whitney, 1947); times have hardly any ties."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, start=1) if which == 0)
    n, m = len(one), len(other)
    u = ranks - n * (n + 1) / 2
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
