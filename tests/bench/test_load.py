"""The bench runs, and its report has a row for everything that it is meant to tell. What it measures is not judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.load.plan import parse
from bench.load.report import ROWS
from runtime.settings import ROOT

SMALLEST = ("--databases", "sqlite", "--concurrency", "2", "--count", "4", "--rounds", "1", "--without-aged")


@pytest.mark.timeout(110)
def test_the_smallest_run_reports_every_row(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.load", *SMALLEST, "--results", str(tmp_path)]

    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)

    assert ended.returncode == 0, ended.stderr
    assert all(f"  {what} " in ended.stdout for what, _ in ROWS)
    (report,) = tmp_path.glob("load-*.json")
    figures = json.loads(report.read_text(encoding="utf-8"))["databases"]["sqlite"]["by_concurrency"]["2"]["figures"]
    assert set(figures) == {what for what, _ in ROWS}
    assert figures["attempts per verification"] >= 1


@pytest.mark.parametrize("wrong", [("--databases", "oracle"), ("--concurrency", "0"), ("--count", "100000")])
def test_a_wrong_option_is_refused_with_what_is_accepted(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(wrong)

    assert ended.value.code == 2
    assert wrong[1] in capsys.readouterr().err
