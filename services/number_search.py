"""Finding numbers at carriers, and reserving one for half an hour.

It is reserved here first and at the carrier then, so that a crash leaves nothing behind that does not lapse by itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from carriers.inventory import InventoryAwayError, NumberInventory, NumberTakenError, UnknownNumberError, Wanted
from domain.facts import Caller
from domain.ids import new_id
from domain.inventory import InventoryNumber
from domain.number_errors import CarrierAwayError, NumberNotFreeError
from domain.phone import ensure_country
from domain.routing import NumberFacts, NumberState, NumberView
from domain.statuses import Environment
from rules.routing.capacity import bucket_of, number_bucket
from services.number_allowance import NumberAllowance
from services.number_changes import by_caller
from store.capacity import set_bucket
from store.engine import Database
from store.number_news import tell_moved
from store.numbers import NewNumber, move_number, reserve_number

# Carriers by name, each environment's apart: a sandbox key finds fictional numbers and no others.
Inventories: TypeAlias = Mapping[Environment, Mapping[str, NumberInventory]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What carriers offer, each number with its carrier; `silent` are the carriers that did not answer."""

    numbers: tuple[tuple[str, InventoryNumber], ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationRequest:
    """A number as a search found it."""

    carrier: str
    sender: str = field(repr=False)
    country: str


class NumberSearch:
    """Asks the carriers' inventories."""

    def __init__(
        self,
        *,
        database: Database,
        inventories: Inventories,
        regions: Mapping[str, str],
        allowance: NumberAllowance,
    ) -> None:
        self._database = database
        self._inventories = inventories
        self._regions = regions
        self._allowance = allowance

    async def find(
        self, caller: Caller, country: str, *, sender_type: str | None = None, capability: str | None = None
    ) -> Found:
        """Return what carriers have to give, a page of each; those that are silent are named.

        Raises:
            UnknownCountryError: there is no such country.
            CarrierAwayError: there are carriers, and none answered.

        """
        ensure_country(country)
        wanted = Wanted(country=country, sender_type=sender_type, capability=capability)
        asked = self._inventories.get(caller.environment, {})
        answers = await asyncio.gather(*(_search(each, wanted) for each in asked.values()))
        heard = dict(zip(asked, answers, strict=True))
        silent = tuple(sorted(name for name, found in heard.items() if found is None))
        if asked and len(silent) == len(asked):
            raise CarrierAwayError("No carrier's inventory answers; try again.", retry_after_s=5)
        return Found(
            numbers=tuple((name, each) for name, found in heard.items() for each in found or ()), silent=silent
        )

    async def reserve(self, caller: Caller, request: ReservationRequest) -> NumberView:
        """Reserve a number for half an hour.

        Raises:
            UnknownCountryError, CountryNotAllowedError, SenderNotAllowedError: it could not be used.
            NumberQuotaError, HarvestingError: the account has, or took, enough.
            NumberNotFreeError: it is somebody's, or not on offer.
            CarrierAwayError: the carrier does not answer.

        """
        ensure_country(request.country)
        inventory = self._inventories.get(caller.environment, {}).get(request.carrier)
        if inventory is None:
            raise NumberNotFreeError("No carrier of this name has numbers to give here; search for available ones.")
        offer = await _offer(inventory, request)
        reserved = await self._keep(caller, request.carrier, offer)
        try:
            await inventory.reserve(reserved.sender, number_id=reserved.id)
        except (NumberTakenError, UnknownNumberError):
            await self._forget(caller, reserved, reason="taken_at_carrier")
            raise _not_free() from None
        except InventoryAwayError:
            await self._forget(caller, reserved, reason="carrier_silent")
            raise _away(request.carrier) from None
        return NumberView(number=reserved, lease=None, is_own=True)

    async def _keep(self, caller: Caller, carrier: str, offer: InventoryNumber) -> NumberFacts:
        new = NewNumber(
            id=new_id(),
            environment=caller.environment,
            country=offer.country,
            sender=offer.sender,
            sender_type=offer.sender_type,
            carrier=carrier,
            region=self._regions.get(carrier, "eu"),
            capabilities=frozenset(offer.capabilities),
            price_micros=offer.price_micros,
            monthly_micros=offer.monthly_micros,
            currency=offer.currency,
        )
        async with self._database.transaction() as connection:
            await self._allowance.ensure_one_more(connection, caller, is_reserving=True)
            await self._allowance.ensure_usable(
                connection, caller, country=offer.country, sender_type=offer.sender_type
            )
            reserved = await reserve_number(connection, new, account_id=caller.account_id)
            if reserved is None:
                raise _not_free()
            await set_bucket(connection, number_bucket(reserved.id), bucket_of(offer.parts_per_s))
            await tell_moved(connection, reserved, before=None, by=by_caller(caller))
        return reserved

    async def _forget(self, caller: Caller, reserved: NumberFacts, *, reason: str) -> None:
        """Let go of a reservation that the carrier did not make."""
        async with self._database.transaction() as connection:
            gone = await move_number(
                connection, reserved.id, seen=NumberState.RESERVED, then=NumberState.RETIRED, reason=reason
            )
            if gone is not None:
                await tell_moved(connection, gone, before=NumberState.RESERVED, by=by_caller(caller))


async def _search(inventory: NumberInventory, wanted: Wanted) -> list[InventoryNumber] | None:
    try:
        return await inventory.search(wanted)
    except InventoryAwayError:
        return None


async def _offer(inventory: NumberInventory, request: ReservationRequest) -> InventoryNumber:
    """Return the terms of a number, as the carrier has them now: what a caller says of it is not believed."""
    found = await _search(inventory, Wanted(country=request.country, sender=request.sender))
    if found is None:
        raise _away(request.carrier)
    offered = next((each for each in found if each.sender == request.sender), None)
    if offered is None:
        raise _not_free()
    return offered


def _not_free() -> NumberNotFreeError:
    return NumberNotFreeError("The number is reserved, leased or not on offer any more; search for another one.")


def _away(carrier: str) -> CarrierAwayError:
    return CarrierAwayError(f"The inventory of {carrier} does not answer; nothing was reserved.", retry_after_s=5)
