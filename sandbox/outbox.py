"""What carriers sent, and what they were asked: the two lists a developer and a checker read."""

import sqlite3
from datetime import UTC, datetime

from domain.sandbox import LedgerEntry, SandboxBehaviour, SandboxMessage
from sandbox.database import Clock
from sandbox.forms import NewMessage

# A person reads the newest; who wants them all asks per number.
MESSAGES_SHOWN = 1000
# An hour under load is many rows; a page keeps one answer from holding up the submissions.
LEDGER_PAGE = 5000

# Two statements, because "any number or this one" in a single statement keeps SQLite from using the index.
_NEWEST = "SELECT * FROM message ORDER BY number DESC LIMIT :limit"
_NEWEST_TO = "SELECT * FROM message WHERE recipient = :to ORDER BY number DESC LIMIT :limit"


class Outbox:
    """Messages that reached a handset, and the ledger of every submission."""

    def __init__(self, *, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def send(self, message: NewMessage, *, carrier: str) -> None:
        """Put the message on the handset."""
        self._connection.execute(
            "INSERT INTO message (carrier, attempt_id, recipient, sender, text, at) VALUES (?, ?, ?, ?, ?, ?)",
            (carrier, message.reference, message.to, message.sender, message.text, self._clock()),
        )

    def enter(self, message: NewMessage, *, carrier: str, behaviour: SandboxBehaviour, verdict: str) -> None:
        """Enter one submission into the ledger. It stands there before the carrier answers."""
        self._connection.execute(
            "INSERT INTO ledger (carrier, attempt_id, recipient, at, behaviour, verdict) VALUES (?, ?, ?, ?, ?, ?)",
            (carrier, message.reference, message.to, self._clock(), behaviour, verdict),
        )

    def messages(self, *, to: str | None) -> list[SandboxMessage]:
        """Return the newest thousand messages, to one number or to all, newest last."""
        query = _NEWEST if to is None else _NEWEST_TO
        rows = self._connection.execute(query, {"to": to, "limit": MESSAGES_SHOWN}).fetchall()
        return [_message(row) for row in reversed(rows)]

    def ledger(self, *, after: int) -> list[LedgerEntry]:
        """Return the next page of entries with a number above `after`, oldest first; empty when there are no more."""
        rows = self._connection.execute(
            "SELECT * FROM ledger WHERE number > ? ORDER BY number LIMIT ?",
            (after, LEDGER_PAGE),
        )
        return [_entry(row) for row in rows]


def _message(row: sqlite3.Row) -> SandboxMessage:
    return SandboxMessage(
        to=row["recipient"],
        text=row["text"],
        sender=row["sender"],
        carrier=row["carrier"],
        attempt_id=row["attempt_id"],
        sent_at=datetime.fromtimestamp(row["at"], tz=UTC),
    )


def _entry(row: sqlite3.Row) -> LedgerEntry:
    return LedgerEntry(
        number=row["number"],
        carrier=row["carrier"],
        attempt_id=row["attempt_id"],
        to=row["recipient"],
        received_at=datetime.fromtimestamp(row["at"], tz=UTC),
        behaviour=SandboxBehaviour(row["behaviour"]),
        verdict=row["verdict"],
    )
