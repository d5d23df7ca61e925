"""What was measured of one kind of request: how many, how long, at what cost. Samples of several rounds add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.load.cpu import Cpu
from bench.load.driver import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`count` things done in `wall_s` seconds; latencies where each was waited for."""

    count: int
    wall_s: float
    cpu: Cpu = field(default_factory=Cpu)
    latencies_ms: tuple[float, ...] = field(default=(), repr=False)

    def __add__(self, other: "Sample") -> "Sample":
        return Sample(
            count=self.count + other.count,
            wall_s=self.wall_s + other.wall_s,
            cpu=self.cpu + other.cpu,
            latencies_ms=self.latencies_ms + other.latencies_ms,
        )

    @property
    def per_s(self) -> float:
        """Return how many were done in a second."""
        return self.count / self.wall_s

    def percentile_ms(self, percent: int) -> float:
        """Return a percentile of the latencies."""
        return percentile(self.latencies_ms, percent)

    def cpu_ms(self, *parts: str) -> float:
        """Return milliseconds of CPU for each thing done, of some parts or of all."""
        return sum((self.cpu.only(*parts) if parts else self.cpu).ms_each(self.count).values())


Samples = dict[str, Sample]


def merged(one: Mapping[str, Sample], other: Mapping[str, Sample]) -> Samples:
    """Return the samples of two rounds as one."""
    return {
        name: one[name] + other[name] if name in one and name in other else one.get(name) or other[name]
        for name in {**one, **other}
    }
