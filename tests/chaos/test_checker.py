"""The checker finds what it is for: each promise, broken on purpose in made-up evidence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.chaos.api_log import Exchange
from bench.chaos.checker import OVERDUE_S, broken_promises
from bench.chaos.evidence import AttemptRow, Evidence, VerificationRow
from bench.chaos.number_tricks import tricks
from bench.chaos.outages import GRACE_S, Outage
from domain.sandbox import LedgerEntry, SandboxBehaviour

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VER, ATT, TO = "ver_1", "att_1", "+33639980001"


def a_verification(**changes: Any) -> VerificationRow:
    approved = VerificationRow(
        id=VER,
        number=TO,
        status="approved",
        reference="F0-1",
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
        finished_at=NOW,
        checks=1,
        max_checks=5,
        codes=frozenset({"123456"}),
    )
    return replace(approved, **changes)


def an_attempt(**changes: Any) -> AttemptRow:
    proved = AttemptRow(
        id=ATT,
        verification=VER,
        number=TO,
        carrier="alpha",
        status="delivered",
        carrier_code=None,
        follows=None,
        is_begun=True,
        is_proved=True,
    )
    return replace(proved, **changes)


def an_entry(**changes: Any) -> LedgerEntry:
    entry = LedgerEntry(
        number=1,
        carrier="alpha",
        attempt_id=ATT,
        to=TO,
        received_at=NOW,
        behaviour=SandboxBehaviour.ACCEPT,
        verdict="accepted",
    )
    return replace(entry, **changes)


def an_exchange(path: str, status: int | None, answer: dict[str, Any], **changes: Any) -> Exchange:
    exchange = Exchange(
        at=1000.0,
        took_s=0.1,
        api=0,
        method="POST",
        path=path,
        sent={},
        repeat_key=None,
        expected=(),
        status=status,
        media="application/json" if status is not None and status < 400 else "application/problem+json",
        answer=answer,
    )
    return replace(exchange, **changes)


def a_start(status: int | None = 201, *, code: str = "", **changes: Any) -> Exchange:
    answer = {"code": code} if code else {"id": VER, "status": "pending"}
    return an_exchange("/v1/verifications", status, answer, sent={"reference": "F0-1"}, **changes)


def a_check(code: str = "123456", **answer: Any) -> Exchange:
    told = {"valid": True, "status": "approved"} | answer
    return an_exchange(f"/v1/verifications/{VER}/checks", 200, told, sent={"code": code})


def a_cancel() -> Exchange:
    return an_exchange(f"/v1/verifications/{VER}/cancel", 200, {"id": VER, "status": "canceled"})


def evidence(
    *,
    verifications: Sequence[VerificationRow] = (a_verification(),),
    attempts: Sequence[AttemptRow] = (an_attempt(),),
    ledger: Sequence[LedgerEntry] = (an_entry(),),
    exchanges: Sequence[Exchange] = (a_start(), a_check()),
    outages: Sequence[Outage] = (),
) -> Evidence:
    return Evidence(
        read_at=NOW,
        verifications={each.id: each for each in verifications},
        attempts={each.id: each for each in attempts},
        ledger=ledger,
        ledger_before=ledger,
        exchanges=exchanges,
        outages=outages,
    )


def test_kept_promises_are_not_called_broken() -> None:
    assert broken_promises(evidence()) == []


WRONG = [a_check("000000", valid=False, status="pending")] * 6
BROKEN = {
    "acknowledged (start 201) and is not in the database": evidence(verifications=(), attempts=(), ledger=()),
    "has been overdue": evidence(
        verifications=[a_verification(status="pending", expires_at=NOW - timedelta(seconds=OVERDUE_S + 1))],
        attempts=[an_attempt(is_proved=False)],
        exchanges=[a_start()],
    ),
    "told to have ended as": evidence(exchanges=[a_start(), a_check(), a_cancel()]),
    "was handed to a carrier 2 times": evidence(ledger=[an_entry(), an_entry(number=2)]),
    "and is not in the database": evidence(ledger=[an_entry(), an_entry(attempt_id="att_2")]),
    "never begun": evidence(attempts=[an_attempt(is_begun=False)]),
    "not where its row says": evidence(ledger=[an_entry(to="+33639980002")]),
    "a wrong code was answered True": evidence(exchanges=[a_check("000000")]),
    "a right code was answered False": evidence(exchanges=[a_check(valid=False, status="pending")]),
    "6 wrong codes were compared": evidence(exchanges=WRONG),
    "counts 6 checks of 5": evidence(verifications=[a_verification(checks=6)]),
    "counts 1 checks, 2 wrong ones": evidence(exchanges=WRONG[:2]),
    "has 2 proved attempts": evidence(attempts=[an_attempt(), an_attempt(id="att_2")]),
    "has 0 proved attempts": evidence(attempts=[an_attempt(is_proved=False)]),
    "answered 500 internal-error": evidence(exchanges=[a_start(500, code="internal-error")]),
    "answered 429 too-soon": evidence(exchanges=[a_start(429, code="too-soon")]),
    "answered 503 , not expected": evidence(exchanges=[a_start(503, media="text/plain")]),
    "answered not at all": evidence(exchanges=[a_start(None)]),
    "every start of it was answered": evidence(exchanges=[a_start(503, code="temporal-unavailable")]),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_promise_is_named(words: str) -> None:
    found = broken_promises(BROKEN[words])

    assert any(words in each for each in found), found


def test_no_finding_holds_a_number_or_a_code() -> None:
    told = " ".join(each for broken in BROKEN.values() for each in broken_promises(broken))

    assert TO not in told
    assert "123456" not in told


def test_an_answer_may_be_missing_only_while_an_api_is_away() -> None:
    told = [a_start(), a_start(None)]
    during, long_before = Outage(since=999.0, until=1001.0), Outage(since=1.0, until=990.0 - GRACE_S)

    assert broken_promises(evidence(exchanges=told, outages=[during])) == []
    assert broken_promises(evidence(exchanges=told, outages=[long_before])) != []


def test_no_spelling_is_strict_e164() -> None:
    forms = tricks(TO)

    assert len(set(forms)) == len(forms) == 35
    assert TO not in forms
