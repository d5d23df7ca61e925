"""A receipt is read only when it is authentic, fresh and readable."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from carriers.protocol import ReceiptNotice, ReceiptReader
from carriers.sandbox import MAX_SKEW_S, SandboxReceipts
from domain.ids import attempt_id, new_id
from domain.statuses import FailureClass, ReceiptStatus

_: type[ReceiptReader] = SandboxReceipts

SECRET = "a secret of the tests"
NOW = 1_800_000_000
ATTEMPT = new_id()


def a_body(**changes: Any) -> bytes:
    body = {"event_id": "evt_1", "reference": attempt_id(ATTEMPT), "status": "delivered", "error": None}
    return json.dumps(body | changes).encode()


def headers_for(body: bytes, *, timestamp: str = str(NOW), secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-sandbox-timestamp": timestamp, "x-sandbox-signature": signature}


def read(body: bytes, headers: dict[str, str]) -> ReceiptNotice | None:
    return SandboxReceipts(secret=SECRET, clock=lambda: float(NOW)).read(body=body, headers=headers)


def test_an_authentic_receipt_is_read() -> None:
    notice = read(a_body(), headers_for(a_body()))

    assert notice == ReceiptNotice(attempt_id=ATTEMPT, status=ReceiptStatus.DELIVERED)


@pytest.mark.parametrize(
    ("error", "failure", "code"),
    [
        ("absent_subscriber", FailureClass.RECIPIENT_TEMPORARY, "absent_subscriber"),
        ("novel", FailureClass.UNKNOWN, "novel"),
        (None, FailureClass.UNKNOWN, None),
    ],
)
def test_an_error_is_classified(error: str | None, failure: FailureClass, code: str | None) -> None:
    body = a_body(status="undelivered", error=error)

    notice = read(body, headers_for(body))

    assert notice == ReceiptNotice(
        attempt_id=ATTEMPT,
        status=ReceiptStatus.UNDELIVERED,
        failure_class=failure,
        carrier_code=code,
    )


@pytest.mark.parametrize("age_s", [-MAX_SKEW_S, 0, MAX_SKEW_S])
def test_a_receipt_within_the_skew_is_fresh(age_s: int) -> None:
    assert read(a_body(), headers_for(a_body(), timestamp=str(NOW - age_s))) is not None


@pytest.mark.parametrize(
    "timestamp",
    [str(NOW - MAX_SKEW_S - 1), str(NOW + MAX_SKEW_S + 1), "", "now", f" {NOW}", f"{NOW}\n", "9" * 5000, "\u0661" * 10],
)
def test_a_stale_receipt_is_refused_however_well_signed(timestamp: str) -> None:
    assert read(a_body(), headers_for(a_body(), timestamp=timestamp)) is None


def test_a_forged_receipt_is_refused() -> None:
    signed = headers_for(a_body())

    assert read(a_body(status="undelivered"), signed) is None
    assert read(a_body() + b" ", signed) is None
    assert read(a_body(), headers_for(a_body(), secret="another")) is None
    assert read(a_body(), signed | {"x-sandbox-timestamp": str(NOW + 1)}) is None
    assert read(a_body(), {}) is None


@pytest.mark.parametrize("signature", ["", "é" * 64, "\udcff", "0" * 64])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert read(a_body(), headers_for(a_body()) | {"x-sandbox-signature": signature}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        a_body(reference="att_1"),
        a_body(reference=f"ver_{ATTEMPT.hex}"),
        a_body(reference=7),
        a_body(status="read"),
        a_body(status=None),
    ],
)
def test_an_unreadable_receipt_is_refused_however_well_signed(body: bytes) -> None:
    assert read(body, headers_for(body)) is None
