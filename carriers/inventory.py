"""The numbers that a carrier has to give, as the product sees them: find, reserve, order, look, give back.

Every request about a number carries the product's own reference for it and may be made again: asked twice, a carrier
does it once. So whoever asks may be killed and start over. An order is not done when it is taken: somebody looks at it
until it is active or refused.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.inventory import InventoryNumber, InventoryOrder


class InventoryAwayError(Exception):
    """The carrier did not answer, or answered what cannot be read: nothing is known, and asking again is safe."""


class NumberTakenError(Exception):
    """The number is another's, or no longer kept for us; the sentence is the carrier's."""


class UnknownNumberError(Exception):
    """The carrier has no such number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; None is anything."""

    country: str
    sender_type: str | None = None
    capability: str | None = None
    sender: str | None = None


class NumberInventory(Protocol):
    """A carrier's stock of numbers. Every method raises `InventoryAwayError` when the carrier does not answer."""

    @property
    def name(self) -> str:
        """Return the carrier's name."""
        ...

    async def search(self, wanted: Wanted) -> list[InventoryNumber]:
        """Return the first numbers that are free and fit."""
        ...

    async def reserve(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Keep a number for a while. Raises `NumberTakenError`, `UnknownNumberError`."""
        ...

    async def provision(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Order a number that is kept for us; it becomes active later. Raises as `reserve` does."""
        ...

    async def look(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Return where an order stands. Raises as `reserve` does."""
        ...

    async def release(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Give a number back. Raises as `reserve` does."""
        ...
