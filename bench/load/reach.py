"""What the product is meant to reach, beside what was measured (issue "Verify a number end to end", "Speed")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.load.aged import AgedFigures
from bench.load.batches import FLOOR, FLOOR_CHECK, PRODUCT
from bench.load.measuring import Measured
from bench.load.samples import Samples

MANY = 100
_JUDGED = "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One figure beside its limit. Figures are at least or at most the limit, as `sign` says."""

    what: str
    figure: float
    sign: str
    limit: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Say whether the figure is on the right side of its limit."""
        return self.figure >= self.limit if self.sign == "≥" else self.figure <= self.limit


def reaches(measured: Sequence[Measured], aged: AgedFigures | None) -> list[Reach]:
    """Return every reach that this run can tell of."""
    found: list[Reach] = []
    for each in measured:
        found += _of(each)
    if aged is not None:
        size = f"{aged.held.old:,} old, {aged.held.open:,} open rows, {aged.held.open_workflows:,} open workflows"
        found += [
            Reach(what=f"start p50, full / empty ({size})", figure=aged.start_ratio, sign="≤", limit=1.2, unit="x"),
            Reach(what=f"check p50, full / empty ({size})", figure=aged.check_ratio, sign="≤", limit=1.2, unit="x"),
        ]
    return found


def whole_ratio(samples: Samples) -> float:
    """Return the CPU of a whole verification over that of a bare workflow."""
    return samples["whole"].cpu_ms(*PRODUCT) / samples["floor whole"].cpu_ms(*FLOOR)


def check_ratio(samples: Samples) -> float:
    """Return the CPU of a wrong check over that of a bare guess; on SQLite both contain the database."""
    return samples["wrong check"].cpu_ms(*PRODUCT) / samples["floor check"].cpu_ms(*FLOOR_CHECK)


def _of(measured: Measured) -> Iterator[Reach]:
    name = measured.database
    many = measured.by_concurrency.get(MANY)
    if many is not None and name == _JUDGED:
        yield Reach(what=f"{name}: start /s at 100", figure=many["start"].per_s, sign="≥", limit=190)
        yield Reach(what=f"{name}: wrong check /s at 100", figure=many["wrong check"].per_s, sign="≥", limit=1000)
    if measured.alone:
        start, check = measured.alone["lone start"].percentile_ms(50), measured.alone["lone check"].percentile_ms(50)
        yield Reach(what=f"{name}: lone start p50", figure=start, sign="≤", limit=25, unit="ms")
        yield Reach(what=f"{name}: lone check p50", figure=check, sign="≤", limit=5, unit="ms")
    for concurrency, samples in measured.by_concurrency.items():
        what = f"{name}: whole verification, CPU over floor at {concurrency}"
        yield Reach(what=what, figure=whole_ratio(samples), sign="≤", limit=1.25, unit="x")
    if measured.path is not None:
        yield Reach(what=f"{name}: history events, happy path", figure=measured.path.events, sign="≤", limit=17)
        yield Reach(what=f"{name}: billable actions, happy path", figure=measured.path.actions, sign="≤", limit=4)
