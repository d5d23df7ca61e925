"""The numbers that the sandbox carriers have to give: found, reserved, ordered, active after a while, given back.

What is on offer is made up of ranges set aside for fiction, and of short codes, which are nobody's here. Each number is
one carrier's. The last digit says what becomes of an order, so that a test can choose. Orders are kept as long as the
file, other than messages: a number that was taken stays taken.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from domain.inventory import InventoryNumber, InventoryOrder, OrderStatus
from sandbox.database import Clock

RESERVED_S = 30 * 60
# How long an order takes: a moment; for numbers that end in 8 a minute; those that end in 9 are refused then.
ACTIVE_AFTER_S, SLOW_AFTER_S = 1.0, 60.0
PAGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers `prefix` + `first` … `last`, all of one kind. Prices are a month's and a message's, in millionths."""

    country: str
    sender_type: str
    prefix: str
    first: int
    last: int
    digits: int
    price_micros: int
    monthly_micros: int
    parts_per_s: int

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Return what its numbers can do."""
        return ("sms",) if self.sender_type == "short_code" else ("sms", "voice")


def _range(country: str, kind: str, prefix: str, span: tuple[int, int, int], terms: tuple[int, int, int]) -> Range:
    first, last, digits = span
    price_micros, monthly_micros, parts_per_s = terms
    return Range(
        country=country,
        sender_type=kind,
        prefix=prefix,
        first=first,
        last=last,
        digits=digits,
        price_micros=price_micros,
        monthly_micros=monthly_micros,
        parts_per_s=parts_per_s,
    )


# Numbers for fiction: Ofcom's, the North American 555-01xx, the Bundesnetzagentur's for media, the ACMA's.
RANGES = (
    _range("GB", "long_code", "+447700900", (200, 399, 3), (41_000, 1_200_000, 1)),
    _range("US", "10dlc", "+1202555", (100, 149, 4), (8_000, 1_500_000, 4)),
    _range("US", "toll_free", "+1800555", (100, 149, 4), (9_000, 2_000_000, 3)),
    _range("CA", "long_code", "+1613555", (100, 199, 4), (11_000, 1_500_000, 1)),
    _range("DE", "long_code", "+493023125", (0, 199, 3), (80_000, 1_800_000, 1)),
    _range("AU", "long_code", "+61491570", (156, 159, 3), (38_000, 6_000_000, 1)),
    _range("GB", "short_code", "60", (0, 99, 3), (45_000, 600_000_000, 100)),
    _range("US", "short_code", "22", (0, 99, 3), (10_000, 500_000_000, 100)),
    _range("CA", "short_code", "33", (0, 99, 3), (14_000, 500_000_000, 100)),
    _range("FR", "short_code", "36", (0, 99, 3), (60_000, 700_000_000, 50)),
    _range("ES", "short_code", "25", (0, 99, 3), (52_000, 600_000_000, 50)),
    _range("IE", "short_code", "50", (0, 99, 3), (66_000, 600_000_000, 50)),
)

_TAKEN = """
SELECT sender FROM inventory_order
WHERE carrier = :carrier AND released_at IS NULL AND NOT (ordered_at IS NULL AND reserved_until <= :now)
"""
_RESERVE = """
INSERT INTO inventory_order (carrier, sender, reference, reserved_until) VALUES (:carrier, :sender, :reference, :until)
ON CONFLICT (carrier, sender) DO UPDATE SET
    reference = excluded.reference, reserved_until = excluded.reserved_until, ordered_at = NULL, released_at = NULL
WHERE released_at IS NOT NULL OR (ordered_at IS NULL AND (reserved_until <= :now OR reference = excluded.reference))
RETURNING reference
"""
_ORDER = """
UPDATE inventory_order SET ordered_at = COALESCE(ordered_at, :now)
WHERE carrier = :carrier AND sender = :sender AND reference = :reference AND released_at IS NULL
    AND (ordered_at IS NOT NULL OR reserved_until > :now)
RETURNING *
"""
_RELEASE = """
UPDATE inventory_order SET released_at = COALESCE(released_at, :now)
WHERE carrier = :carrier AND sender = :sender AND reference = :reference
RETURNING *
"""
_FIND = "SELECT * FROM inventory_order WHERE carrier = :carrier AND sender = :sender AND reference = :reference"


class Inventory:
    """What each carrier offers, and what became of what was ordered from it."""

    def __init__(self, *, connection: sqlite3.Connection, carriers: tuple[str, ...], clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._offers = {name: dict(_offers_of(place, len(carriers))) for place, name in enumerate(carriers)}

    def search(
        self,
        *,
        carrier: str,
        country: str,
        sender_type: str | None = None,
        capability: str | None = None,
        sender: str | None = None,
    ) -> list[InventoryNumber]:
        """Return the first numbers of a carrier that are free and fit."""
        rows = self._connection.execute(_TAKEN, {"carrier": carrier, "now": self._clock()})
        taken = {row["sender"] for row in rows}
        fitting = (
            each
            for each in self._offers[carrier].values()
            if each.country == country
            and sender_type in {None, each.sender_type}
            and (capability is None or capability in each.capabilities)
            and sender in {None, each.sender}
            and each.sender not in taken
        )
        return [each for _, each in zip(range(PAGE), fitting, strict=False)]

    def offers(self, *, carrier: str, sender: str) -> bool:
        """Say whether a number is the carrier's at all."""
        return sender in self._offers[carrier]

    def reserve(self, *, carrier: str, sender: str, reference: str) -> InventoryOrder | None:
        """Keep a number for half an hour for who has the reference; None while it is another's."""
        now = self._clock()
        values = {"carrier": carrier, "sender": sender, "reference": reference, "now": now, "until": now + RESERVED_S}
        rows = self._connection.execute(_RESERVE, values).fetchall()
        return self.find(carrier=carrier, sender=sender, reference=reference) if rows else None

    def order(self, *, carrier: str, sender: str, reference: str) -> InventoryOrder | None:
        """Order a number that the reference has reserved; asked again, the same order. None: it is not reserved."""
        return self._changed(_ORDER, carrier=carrier, sender=sender, reference=reference)

    def release(self, *, carrier: str, sender: str, reference: str) -> InventoryOrder | None:
        """Give a number back; asked again, the same answer. None: the reference never had it."""
        return self._changed(_RELEASE, carrier=carrier, sender=sender, reference=reference)

    def find(self, *, carrier: str, sender: str, reference: str) -> InventoryOrder | None:
        """Return what became of a number that the reference reserved."""
        return self._changed(_FIND, carrier=carrier, sender=sender, reference=reference)

    def _changed(self, statement: str, *, carrier: str, sender: str, reference: str) -> InventoryOrder | None:
        values = {"carrier": carrier, "sender": sender, "reference": reference, "now": self._clock()}
        rows = self._connection.execute(statement, values).fetchall()
        return _order(rows[0], now=self._clock()) if rows else None


def _offers_of(place: int, carriers: int) -> Iterator[tuple[str, InventoryNumber]]:
    """Yield what one of several carriers has: every so-manieth number of each range."""
    for each in RANGES:
        for number in range(each.first + place, each.last + 1, carriers):
            sender = f"{each.prefix}{number:0{each.digits}d}"
            yield (
                sender,
                InventoryNumber(
                    sender=sender,
                    country=each.country,
                    sender_type=each.sender_type,
                    capabilities=each.capabilities,
                    price_micros=each.price_micros,
                    monthly_micros=each.monthly_micros,
                    currency="EUR",
                    parts_per_s=each.parts_per_s,
                ),
            )


def _order(row: sqlite3.Row, *, now: float) -> InventoryOrder:
    """Return the order as it stands now: time alone activates it."""
    if row["released_at"] is not None:
        return InventoryOrder(sender=row["sender"], status=OrderStatus.RELEASED)
    if row["ordered_at"] is None:
        is_over = row["reserved_until"] <= now
        return InventoryOrder(sender=row["sender"], status=OrderStatus.LAPSED if is_over else OrderStatus.RESERVED)
    after_s = SLOW_AFTER_S if row["sender"].endswith("8") else ACTIVE_AFTER_S
    if now - row["ordered_at"] < after_s:
        return InventoryOrder(sender=row["sender"], status=OrderStatus.PENDING)
    is_refused = row["sender"].endswith("9")
    return InventoryOrder(sender=row["sender"], status=OrderStatus.REFUSED if is_refused else OrderStatus.ACTIVE)
