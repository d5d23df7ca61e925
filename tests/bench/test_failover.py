"""The time of a fail-over is read from the carriers' books, and the drill runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bench.failover.drill import Run, drill, report_of
from domain.sandbox import LedgerEntry, SandboxBehaviour

AT = datetime(2026, 11, 24, tzinfo=UTC)


def entry(number: str, carrier: str, *, ms: float, verdict: str = "accepted") -> LedgerEntry:
    return LedgerEntry(
        number=0,
        carrier=carrier,
        attempt_id=f"{number}-{carrier}",
        to=number,
        received_at=AT + timedelta(milliseconds=ms),
        behaviour=SandboxBehaviour.ACCEPT,
        verdict=verdict,
    )


def test_the_time_is_from_the_refusal_to_the_next_carrier_s_acceptance() -> None:
    ledger = [
        entry("a", "alpha", ms=0, verdict="refused"),
        entry("b", "alpha", ms=5, verdict="refused"),
        entry("a", "bravo", ms=100),
        entry("b", "bravo", ms=205),
    ]

    report = report_of(ledger, ["a", "b"])

    assert (report.failed_over, report.p50_ms, report.longest_ms, report.is_kept) == (2, 150, 200, True)
    assert not replace(report, p95_ms=250.0).is_kept


def test_a_message_that_no_other_carrier_took_breaks_the_promise() -> None:
    ledger = [
        entry("a", "alpha", ms=0, verdict="refused"),
        entry("a", "bravo", ms=100),
        entry("b", "alpha", ms=0, verdict="refused"),
    ]

    assert not report_of(ledger, ["a", "b"]).is_kept


@pytest.mark.timeout(110)
async def test_what_the_first_carrier_refuses_the_next_one_gets() -> None:
    report = await drill("sqlite", Run(messages=6, warm_up=1))

    assert report.failed_over == report.messages
