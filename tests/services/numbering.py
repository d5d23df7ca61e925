"""A carrier's inventory in memory, and the use cases of numbers over it."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from carriers.inventory import InventoryAwayError, NumberInventory, NumberTakenError, UnknownNumberError, Wanted
from domain.access import EVERY_SCOPE
from domain.facts import Caller
from domain.inventory import InventoryNumber, InventoryOrder, OrderStatus
from domain.statuses import Environment
from rules.routing.catalog import SenderType
from services.idempotency import Idempotency
from services.number_allowance import NumberAllowance
from services.number_leasing import NumberLeasing
from services.number_search import NumberSearch, ReservationRequest
from store.engine import Database
from tests.building import KEYS, FakeKeepers, a_caller

QUOTA = 10
_senders = itertools.count(1)


def a_sender() -> str:
    """Return a number that no other test of this process offers."""
    return f"+4477{next(_senders):08}"


class Takes(dict[str, frozenset[SenderType]]):
    """Every country takes everything, but for names."""

    def get(self, _: str, __: Any = None) -> frozenset[SenderType]:
        return frozenset(SenderType) - {SenderType.ALPHANUMERIC}


def an_offer(sender: str, *, country: str = "DK", **changes: Any) -> InventoryNumber:
    values: dict[str, Any] = {
        "sender_type": "long_code",
        "capabilities": ("sms", "voice"),
        "price_micros": 41_000,
        "monthly_micros": 1_200_000,
        "currency": "EUR",
        "parts_per_s": 1,
    }
    return InventoryNumber(sender=sender, country=country, **{**values, **changes})


@dataclass(slots=True, kw_only=True)
class FakeInventory:
    """Offers what it was given; keeps who reserved and ordered what; activates when told, or is away."""

    name: str = "alpha"
    offers: list[InventoryNumber] = field(default_factory=list)
    holders: dict[str, UUID] = field(default_factory=dict)
    orders: dict[str, OrderStatus] = field(default_factory=dict)
    is_away: bool = False
    refuses_to_reserve: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def search(self, wanted: Wanted) -> list[InventoryNumber]:
        self._be_there("search")
        return [
            each
            for each in self.offers
            if each.country == wanted.country
            and wanted.sender in {None, each.sender}
            and wanted.sender_type in {None, each.sender_type}
        ]

    async def reserve(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        self._be_there("reserve")
        if self.refuses_to_reserve is not None:
            raise self.refuses_to_reserve
        if self.holders.setdefault(sender, number_id) != number_id:
            raise NumberTakenError("taken")
        return InventoryOrder(sender=sender, status=OrderStatus.RESERVED)

    async def provision(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        self._be_there("provision")
        self._ensure_held(sender, number_id)
        return InventoryOrder(sender=sender, status=self.orders.setdefault(sender, OrderStatus.PENDING))

    async def look(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        self._be_there("look")
        self._ensure_held(sender, number_id)
        return InventoryOrder(sender=sender, status=self.orders[sender])

    async def release(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        self._be_there("release")
        self._ensure_held(sender, number_id)
        del self.holders[sender]
        self.orders.pop(sender, None)
        return InventoryOrder(sender=sender, status=OrderStatus.RELEASED)

    def _ensure_held(self, sender: str, number_id: UUID) -> None:
        if self.holders.get(sender) != number_id:
            raise UnknownNumberError("never had it")

    def _be_there(self, what: str) -> None:
        self.asked.append(what)
        if self.is_away:
            raise InventoryAwayError("away")


_inventory: type[NumberInventory] = FakeInventory


def allowance(quota: int = QUOTA) -> NumberAllowance:
    return NumberAllowance(quota=quota, takes=Takes())


def search_over(database: Database, *inventories: FakeInventory, quota: int = QUOTA) -> NumberSearch:
    return NumberSearch(
        database=database,
        inventories={Environment.SANDBOX: {each.name: each for each in inventories}},
        regions={},
        allowance=allowance(quota),
    )


def a_request(offer: InventoryNumber, *, carrier: str = "alpha") -> ReservationRequest:
    return ReservationRequest(carrier=carrier, sender=offer.sender, country=offer.country)


def leasing(database: Database, *, quota: int = QUOTA, keepers: FakeKeepers | None = None) -> NumberLeasing:
    return NumberLeasing(
        database=database,
        allowance=allowance(quota),
        idempotency=Idempotency(database, keys=KEYS),
        keepers=keepers or FakeKeepers(),
    )


async def an_operator(database: Database) -> Caller:
    """Return a caller who administers accounts."""
    return replace(await a_caller(database), scopes=EVERY_SCOPE)
