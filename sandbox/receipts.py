"""The receipts that wait to be posted. They live in the file, so a restart loses none."""

import hashlib
import hmac
import json
import sqlite3
from dataclasses import dataclass, field

from domain.ids import new_id
from sandbox.behaviours import Receipts
from sandbox.database import Clock

# Longer than a restart of the API; a receipt older than that helps nobody.
GIVE_UP_S = 600.0
MAX_BACKOFF_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReceipt:
    """One receipt to be posted: the exact body, and how often posting it failed."""

    number: int
    carrier: str
    body: bytes = field(repr=False)
    tries: int
    at: float


def sign(*, secret: str, timestamp: str, body: bytes) -> str:
    """Return the hex HMAC-SHA256 of the timestamp, a dot and the body."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class ReceiptQueue:
    """Receipts by the time they are due. Each is kept until it was posted, or nobody took it for ten minutes."""

    def __init__(self, *, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, receipts: Receipts, *, carrier: str, reference: str, wait_s: float) -> None:
        """Queue a message's receipts, due `wait_s` and their own delay from now."""
        body = json.dumps(
            {
                "event_id": f"evt_{new_id().hex}",
                "reference": reference,
                "status": receipts.status,
                "error": receipts.error,
            },
        )
        now = self._clock()
        row = (carrier, body, now + wait_s + receipts.delay_s, now)
        self._connection.executemany(
            "INSERT INTO due_receipt (carrier, body, due_at, at) VALUES (?, ?, ?, ?)",
            [row] * receipts.count,
        )

    def due(self, *, limit: int) -> list[DueReceipt]:
        """Return the receipts to post now, longest due first."""
        rows = self._connection.execute(
            "SELECT number, carrier, body, tries, at FROM due_receipt WHERE due_at <= ? ORDER BY due_at LIMIT ?",
            (self._clock(), limit),
        )
        return [DueReceipt(**{**dict(row), "body": row["body"].encode()}) for row in rows]

    def remove(self, receipt: DueReceipt) -> None:
        """Drop a receipt that was posted, or given up."""
        self._connection.execute("DELETE FROM due_receipt WHERE number = ?", (receipt.number,))

    def postpone(self, receipt: DueReceipt) -> bool:
        """Let a receipt wait for its next try, longer each time. Return False when it was given up instead."""
        now = self._clock()
        if now - receipt.at > GIVE_UP_S:
            self.remove(receipt)
            return False
        self._connection.execute(
            "UPDATE due_receipt SET due_at = ?, tries = tries + 1 WHERE number = ?",
            (now + min(MAX_BACKOFF_S, 0.25 * 2.0**receipt.tries), receipt.number),
        )
        return True
