"""The sandbox's own SQLite file: its tables, how it is opened, and how it forgets."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

# Unix seconds. Injected, so that a test can let an hour pass.
Clock: TypeAlias = Callable[[], float]

# Messages hold codes: long enough to read one, short enough that the file never becomes an archive.
KEEP_S = 3600.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, carrier TEXT NOT NULL, attempt_id TEXT NOT NULL, recipient TEXT NOT NULL,
    sender TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS message_recipient ON message (recipient);
CREATE INDEX IF NOT EXISTS message_at ON message (at);
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY AUTOINCREMENT, carrier TEXT NOT NULL, attempt_id TEXT NOT NULL,
    recipient TEXT NOT NULL, at REAL NOT NULL, behaviour TEXT NOT NULL, verdict TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_at ON ledger (at);
CREATE TABLE IF NOT EXISTS standing_order (
    account TEXT NOT NULL, carrier TEXT NOT NULL, recipient TEXT NOT NULL, behaviour TEXT NOT NULL,
    latency_ms INTEGER NOT NULL, times INTEGER CHECK (times >= 0), at REAL NOT NULL,
    PRIMARY KEY (account, carrier, recipient)
);
-- Orders were everybody's once. Whose those were is not known, and none outlives an hour.
DROP TABLE IF EXISTS behaviour;
CREATE TABLE IF NOT EXISTS due_receipt (
    number INTEGER PRIMARY KEY AUTOINCREMENT, carrier TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS due_receipt_due_at ON due_receipt (due_at);
CREATE INDEX IF NOT EXISTS due_receipt_at ON due_receipt (at);
CREATE TABLE IF NOT EXISTS inventory_order (
    carrier TEXT NOT NULL, sender TEXT NOT NULL, reference TEXT NOT NULL, reserved_until REAL NOT NULL,
    ordered_at REAL, released_at REAL, PRIMARY KEY (carrier, sender)
);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file, and make it first where it is missing. It holds codes, so only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    # The composition root opens it, the event loop's thread alone uses it.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_SCHEMA)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Keep everything written inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def forget(connection: sqlite3.Connection, *, now: float) -> None:
    """Delete whatever is older than an hour, and the orders that have been carried out; numbers taken stay taken."""
    before = (now - KEEP_S,)
    with transaction(connection):
        connection.execute("DELETE FROM message WHERE at <= ?", before)
        connection.execute("DELETE FROM ledger WHERE at <= ?", before)
        connection.execute("DELETE FROM due_receipt WHERE at <= ?", before)
        connection.execute("DELETE FROM standing_order WHERE at <= ? OR times = 0", before)
