"""The words of carriers' inventories: numbers they have to give, and what became of those that were asked for."""

from dataclasses import dataclass
from enum import StrEnum


class OrderStatus(StrEnum):
    """Where a number stands that was asked of a carrier's inventory."""

    RESERVED = "reserved"
    LAPSED = "lapsed"
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryNumber:
    """A number that a carrier has to give, and its terms."""

    sender: str
    country: str
    sender_type: str
    capabilities: tuple[str, ...]
    price_micros: int
    monthly_micros: int
    currency: str
    parts_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryOrder:
    """What became of a number that was reserved or ordered."""

    sender: str
    status: OrderStatus
