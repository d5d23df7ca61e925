"""The orders given to carriers: which behaviour, how slowly, how often, for whom."""

import sqlite3
from dataclasses import dataclass

from domain.sandbox import BehaviourView, SandboxBehaviour
from sandbox.database import KEEP_S, Clock
from sandbox.magic import magic_behaviour

# Counting and choosing are one statement, so twenty messages at once cannot share the last of `times`. NULL minus one
# stays NULL: an order without an end. The account's own orders come before everybody's, and of both an order for one
# number before an order for all.
_TAKE = """
UPDATE standing_order SET times = times - 1
WHERE rowid = (
    SELECT rowid FROM standing_order
    WHERE account IN (:account, '') AND carrier = :carrier AND recipient IN (:to, '')
        AND (times IS NULL OR times > 0) AND at > :since
    ORDER BY account = '', recipient = '' LIMIT 1
)
RETURNING behaviour, latency_ms
"""

_PUT = """
INSERT INTO standing_order (account, carrier, recipient, behaviour, latency_ms, times, at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, carrier, recipient) DO UPDATE SET
    behaviour = excluded.behaviour, latency_ms = excluded.latency_ms, times = excluded.times, at = excluded.at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do with one message."""

    behaviour: SandboxBehaviour
    latency_ms: int = 0


class Switchboard:
    """The explicit orders, and the magic numbers where there is none.

    An order is an account's, and meets its messages alone. One without an account is of whoever holds the sandbox's
    secret, and meets everybody's.
    """

    def __init__(self, *, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def take(self, *, carrier: str, to: str, account: str | None) -> Order:
        """Return the order for one message, and count it off where the order is for a number of messages."""
        facts = {"account": account or "", "carrier": carrier, "to": to, "since": self._clock() - KEEP_S}
        rows = self._connection.execute(_TAKE, facts).fetchall()
        if not rows:
            return Order(behaviour=magic_behaviour(carrier=carrier, to=to))
        return Order(behaviour=SandboxBehaviour(rows[0]["behaviour"]), latency_ms=rows[0]["latency_ms"])

    def put(self, view: BehaviourView, *, account: str | None) -> None:
        """Give an order; it replaces the account's for the same carrier and number, or for all numbers."""
        order = (account or "", view.carrier, view.to or "", view.behaviour, view.latency_ms, view.times, self._clock())
        self._connection.execute(_PUT, order)

    def remove(self, *, carrier: str, to: str | None, account: str | None) -> None:
        """Take back an account's order to a carrier for one number, or all that it gave it."""
        self._connection.execute(
            "DELETE FROM standing_order "
            "WHERE account = :account AND carrier = :carrier AND (:to IS NULL OR recipient = :to)",
            {"account": account or "", "carrier": carrier, "to": to},
        )

    def orders(self, *, account: str | None) -> list[BehaviourView]:
        """Return an account's orders in force."""
        rows = self._connection.execute(
            "SELECT * FROM standing_order "
            "WHERE account = ? AND (times IS NULL OR times > 0) ORDER BY carrier, recipient",
            (account or "",),
        )
        return [_view(row) for row in rows]


def _view(row: sqlite3.Row) -> BehaviourView:
    return BehaviourView(
        carrier=row["carrier"],
        behaviour=SandboxBehaviour(row["behaviour"]),
        latency_ms=row["latency_ms"],
        times=row["times"],
        to=row["recipient"] or None,
    )
