"""The report: a table for people and a JSON document for comparisons."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

from bench.load.aged import AgedFigures
from bench.load.batches import FLOOR, FLOOR_CHECK, GENERATOR, PRODUCT
from bench.load.measuring import Measured
from bench.load.reach import Reach, check_ratio, whole_ratio
from bench.load.samples import Sample, Samples

FLOOR_CONTAINS = """\
The floor of a verification: the same Temporal server, in the same run, in turns; a FastAPI route that starts a workflow
and one that signals it; a workflow of the same shape (one activity on another queue, one timer, one signal) in the
SDK's own sandbox and on its own event loop; an activity that returns its input. It contains no database, no
authentication, no phone number, no code, no encryption, no limit, no search attributes, no summaries, no schedule.
The floor of a check: a FastAPI route that counts in one conditional UPDATE ... RETURNING, in a transaction, on a row of
two columns, through the same driver and pool. It contains no authentication, no code, no budget, no view.
"temporal" is the development server with a file database; a cluster costs differently. On SQLite the database is in
"api" and "worker". The generator's own CPU is in none of the sums."""


def _requests(what: str, key: str) -> list[tuple[str, Callable[[Samples], float]]]:
    return [
        (f"{what} /s", lambda samples: samples[key].per_s),
        (f"{what} p50 ms", lambda samples: samples[key].percentile_ms(50)),
        (f"{what} p99 ms", lambda samples: samples[key].percentile_ms(99)),
    ]


def _split(what: str, key: str, parts: Sequence[str]) -> list[tuple[str, Callable[[Samples], float]]]:
    def of(part: str) -> Callable[[Samples], float]:
        return lambda samples: samples[key].cpu_ms(part)

    return [
        *((f"{what}, {part}", of(part)) for part in parts),
        (f"{what}, sum", lambda samples: samples[key].cpu_ms(*parts)),
    ]


ROWS: list[tuple[str, Callable[[Samples], float]]] = [
    *_requests("start", "start"),
    ("sent /s", lambda samples: samples["sent"].per_s),
    ("starts refused: Temporal too busy", lambda samples: samples["refused"].count),
    ("approved, but workflow not told", lambda samples: samples["left"].count),
    ("started, but not sent in time", lambda samples: samples["failed"].count),
    ("attempts per verification", lambda samples: samples["attempt"].count / samples["start"].count),
    *_requests("wrong check", "wrong check"),
    *_requests("right check", "right check"),
    *_split("CPU ms per verification", "whole", PRODUCT),
    *_split("CPU ms per bare workflow", "floor whole", FLOOR),
    ("verification / bare workflow, CPU", whole_ratio),
    *_split("CPU ms per wrong check", "wrong check", ("api", "database")),
    *_split("CPU ms per bare check", "floor check", FLOOR_CHECK),
    ("check / bare check, CPU", check_ratio),
    *_requests("bare start", "floor start"),
    *_requests("bare check", "floor check"),
    ("generator, CPU ms per start", lambda samples: samples["start"].cpu_ms(GENERATOR)),
    ("generator, CPU ms per check", lambda samples: samples["wrong check"].cpu_ms(GENERATOR)),
]


def table(measured: Sequence[Measured], aged: AgedFigures | None, reached: Sequence[Reach]) -> str:
    """Return the report for people."""
    lines: list[str] = []
    for each in measured:
        lines += _of_database(each)
    if aged is not None:
        lines += _of_aged(aged)
    width = max((len(each.what) for each in reached), default=0)
    lines += ["reach"]
    lines += [
        f"  {each.what:<{width}}  {each.figure:>9.2f} {each.unit:<2} {each.sign} {each.limit:<7g} "
        f"{'met' if each.is_met else 'NOT MET'}"
        for each in reached
    ]
    return "\n".join([*lines, "", FLOOR_CONTAINS])


def _of_database(measured: Measured) -> list[str]:
    head = "".join(f"{concurrency:>11}" for concurrency in measured.by_concurrency)
    lines = [f"{f'{measured.database}, concurrency':<42}{head}"]
    for what, figure in ROWS:
        cells = "".join(f"{figure(samples):>11.2f}" for samples in measured.by_concurrency.values())
        lines.append(f"  {what:<40}{cells}")
    if measured.path is not None:
        lines.append(f"  happy path: {measured.path.events} events, {measured.path.actions} billable actions")
    if measured.alone:
        lines.append(f"  one at a time, with pauses: {_alone(measured)}")
    idle = ", ".join(f"{part} {used:.1f}" for part, used in sorted(measured.idle_ms_per_s.items()))
    return [*lines, f"  idle, CPU ms per second: {idle}", ""]


def _of_aged(aged: AgedFigures) -> list[str]:
    held = aged.held
    rows = (
        ("start", aged.start_empty_ms, aged.start_full_ms, aged.start_ratio),
        ("check", aged.check_empty_ms, aged.check_full_ms, aged.check_ratio),
    )
    return [
        f"postgresql, one at a time; full: {held.old:,} old, {held.open:,} open as rows, {held.open_workflows:,} real",
        *(f"  {what} p50 ms: empty {empty:.2f}, full {full:.2f}, x {ratio:.2f}" for what, empty, full, ratio in rows),
        "",
    ]


def _alone(measured: Measured) -> str:
    kinds = (("start", "lone start"), ("bare start", "floor lone start"), ("check", "lone check"))
    return "; ".join(
        f"{what} p50 {measured.alone[key].percentile_ms(50):.2f} ms, p99 {measured.alone[key].percentile_ms(99):.2f} ms"
        for what, key in kinds
    )


def document(
    measured: Sequence[Measured], aged: AgedFigures | None, reached: Sequence[Reach], facts: dict[str, Any]
) -> str:
    """Return the report as JSON."""
    content = {
        **facts,
        "databases": {
            each.database: {
                "versions": each.versions,
                "idle_cpu_ms_per_s": each.idle_ms_per_s,
                "alone_p50_ms": {name: sample.percentile_ms(50) for name, sample in each.alone.items()},
                "happy_path": each.path and dataclasses.asdict(each.path),
                "by_concurrency": {
                    str(concurrency): {
                        "figures": {what: round(figure(samples), 4) for what, figure in ROWS},
                        "samples": {name: _plain(sample) for name, sample in samples.items()},
                    }
                    for concurrency, samples in each.by_concurrency.items()
                },
            }
            for each in measured
        },
        "aged": aged and {**dataclasses.asdict(aged), "start_ratio": aged.start_ratio, "check_ratio": aged.check_ratio},
        "reach": [{**dataclasses.asdict(each), "is_met": each.is_met} for each in reached],
        "floor_contains": FLOOR_CONTAINS,
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def _plain(sample: Sample) -> dict[str, Any]:
    return {"count": sample.count, "wall_s": sample.wall_s, "cpu_s": dict(sample.cpu.seconds)}
