"""The adapter of the sandbox carriers: one request per attempt, and the receipts they post back."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import httpx2
import structlog

from carriers.protocol import Answer, Message, ReceiptNotice
from domain.ids import account_id, attempt_id, parse
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus

# The carrier's code of a refusal, and what it means for the plan.
FAILURES: Mapping[str, FailureClass] = {
    "refused": FailureClass.ROUTE_TEMPORARY,
    "unknown_subscriber": FailureClass.RECIPIENT_PERMANENT,
    "throttled": FailureClass.THROTTLED,
    "unreachable": FailureClass.ROUTE_TEMPORARY,
}

RECEIPT_STATUSES: Mapping[str, ReceiptStatus] = {
    "delivered": ReceiptStatus.DELIVERED,
    "undelivered": ReceiptStatus.UNDELIVERED,
}

RECEIPT_FAILURES: Mapping[str, FailureClass] = {
    "absent_subscriber": FailureClass.RECIPIENT_TEMPORARY,
}

# How far the clocks of two machines may be apart; it also ends the life of a recorded receipt.
MAX_SKEW_S = 300
# A carrier's own words are stored and logged, so they are cut.
MAX_CODE_CHARS = 64
# A carrier that makes up codes must not fill the memory, or the log.
MAX_WARNINGS = 100

_SERVER_ERROR = 500
_TIMESTAMP = re.compile(r"[0-9]{1,12}")

log = structlog.get_logger()


class SandboxCarrier:
    """One of the sandbox carriers. It asks once, and says `UNKNOWN` when the answer did not come."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        secret: str,
        client: httpx2.AsyncClient,
        timeout_s: float = 3.0,
    ) -> None:
        self._name = name
        self._url = f"{base_url.rstrip('/')}/carriers/{name}/messages"
        self._headers = {"authorization": f"Bearer {secret}"}
        self._client = client
        self._timeout_s = timeout_s
        self._warned: set[str] = set()

    @property
    def name(self) -> str:
        """Return the carrier's name."""
        return self._name

    async def submit(self, message: Message) -> Answer:
        """Hand over one message, once."""
        try:
            response = await self._client.post(
                self._url,
                json=_body(message),
                headers=self._headers,
                timeout=self._timeout_s,
                follow_redirects=False,
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return _not_sent("unreachable")
        except httpx2.PoolTimeout:
            return _not_sent("no_connection_free")
        except httpx2.TimeoutException:
            return _unknown("timeout")
        except httpx2.RequestError:
            return _unknown("connection_lost")
        return self._answer(response)

    def _answer(self, response: httpx2.Response) -> Answer:
        said = _read_object(response.content)
        if response.is_success:
            return _accepted(said)
        code = _short(said.get("code"))
        if code not in FAILURES and response.status_code >= _SERVER_ERROR:
            return _unknown(code or f"http_{response.status_code}")
        return self._refused(code or f"http_{response.status_code}")

    def _refused(self, code: str) -> Answer:
        failure = FAILURES.get(code)
        if failure is None:
            self._warn_once(code)
        is_throttled = failure is FailureClass.THROTTLED
        return Answer(
            status=SubmissionStatus.THROTTLED if is_throttled else SubmissionStatus.REJECTED,
            failure_class=failure or FailureClass.ROUTE_TEMPORARY,
            carrier_code=code,
        )

    def _warn_once(self, code: str) -> None:
        if code in self._warned or len(self._warned) >= MAX_WARNINGS:
            return
        self._warned.add(code)
        log.warning("carrier code not in the failure table", carrier=self._name, carrier_code=code)


class SandboxReceipts:
    """Reads the receipts the sandbox carriers post."""

    def __init__(self, *, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def read(self, *, body: bytes, headers: dict[str, str]) -> ReceiptNotice | None:
        """Return the receipt, or None when it is not authentic: bad signature, stale, unreadable."""
        timestamp = headers.get("x-sandbox-timestamp", "")
        if _TIMESTAMP.fullmatch(timestamp) is None or abs(self._clock() - int(timestamp)) > MAX_SKEW_S:
            return None
        signature = headers.get("x-sandbox-signature", "").encode(errors="replace")
        expected = hmac.new(self._secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected.encode()):
            return None
        return _notice(_read_object(body))


def _body(message: Message) -> dict[str, str | int]:
    return {
        "reference": attempt_id(message.attempt_id),
        "to": message.to,
        "sender": message.sender,
        "text": message.text,
        "validity_s": message.validity_s,
        "account": account_id(message.account_id),
    }


def _accepted(said: dict[str, Any]) -> Answer:
    message_id = _short(said.get("id"))
    if not message_id:
        return _unknown("unreadable")
    return Answer(status=SubmissionStatus.ACCEPTED, carrier_message_id=message_id)


def _not_sent(code: str) -> Answer:
    return Answer(
        status=SubmissionStatus.REJECTED,
        failure_class=FailureClass.ROUTE_TEMPORARY,
        carrier_code=code,
    )


def _unknown(code: str) -> Answer:
    return Answer(status=SubmissionStatus.UNKNOWN, failure_class=FailureClass.UNKNOWN, carrier_code=code)


def _notice(said: dict[str, Any]) -> ReceiptNotice | None:
    attempt: UUID | None = parse(str(said.get("reference")), prefix="att")
    status = RECEIPT_STATUSES.get(str(said.get("status")))
    if attempt is None or status is None:
        return None
    if status is ReceiptStatus.DELIVERED:
        return ReceiptNotice(attempt_id=attempt, status=status)
    error = _short(said.get("error"))
    failure = RECEIPT_FAILURES.get(error, FailureClass.UNKNOWN)
    return ReceiptNotice(attempt_id=attempt, status=status, failure_class=failure, carrier_code=error or None)


def _read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object, or an empty one when the bytes are something else."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _short(value: object) -> str:
    """Return a carrier's word, cut; empty when it is no text."""
    return value[:MAX_CODE_CHARS] if isinstance(value, str) else ""
