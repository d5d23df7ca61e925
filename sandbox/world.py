"""The world outside as one object: what arrives is decided, recorded and queued in a single transaction."""

import sqlite3
from dataclasses import dataclass

from sandbox.behaviours import EFFECTS, Effect
from sandbox.database import Clock, forget, transaction
from sandbox.forms import NewMessage
from sandbox.inventory import Inventory
from sandbox.outbox import Outbox
from sandbox.receipts import ReceiptQueue
from sandbox.switchboard import Switchboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was decided about a message, and how long the carrier thinks before it says so."""

    effect: Effect
    latency_s: float


class World:
    """The handsets, the carriers' orders, the receipts on their way and the numbers on offer, in one file."""

    def __init__(self, *, connection: sqlite3.Connection, carriers: tuple[str, ...], clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.outbox = Outbox(connection=connection, clock=clock)
        self.switchboard = Switchboard(connection=connection, clock=clock)
        self.receipts = ReceiptQueue(connection=connection, clock=clock)
        self.inventory = Inventory(connection=connection, carriers=carriers, clock=clock)

    def hand_over(self, message: NewMessage, *, carrier: str) -> Outcome:
        """Do what the carrier's order says. All is on record when this returns, and nothing when it raises."""
        with transaction(self._connection):
            order = self.switchboard.take(carrier=carrier, to=message.to, account=message.account)
            effect = EFFECTS[order.behaviour]
            latency_s = order.latency_ms / 1000
            self.outbox.enter(message, carrier=carrier, behaviour=order.behaviour, verdict=effect.verdict)
            if effect.is_sent:
                self.outbox.send(message, carrier=carrier)
            if effect.receipts:
                self.receipts.add(effect.receipts, carrier=carrier, reference=message.reference, wait_s=latency_s)
        return Outcome(effect=effect, latency_s=latency_s)

    def forget(self) -> None:
        """Delete what is older than an hour."""
        forget(self._connection, now=self._clock())

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
