"""The inventory of a sandbox carrier: one request per question, and nothing believed that cannot be read."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2

from carriers.inventory import InventoryAwayError, NumberTakenError, UnknownNumberError, Wanted
from domain.inventory import InventoryNumber, InventoryOrder, OrderStatus


class SandboxInventory:
    """The numbers that one of the sandbox carriers has to give."""

    def __init__(
        self, *, name: str, base_url: str, secret: str, client: httpx2.AsyncClient, timeout_s: float = 3.0
    ) -> None:
        self._name = name
        self._url = f"{base_url.rstrip('/')}/carriers/{quote(name, safe='')}/numbers"
        self._headers = {"authorization": f"Bearer {secret}"}
        self._client = client
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """Return the carrier's name."""
        return self._name

    async def search(self, wanted: Wanted) -> list[InventoryNumber]:
        """Return the first numbers that are free and fit."""
        asked = {
            "country": wanted.country,
            "type": wanted.sender_type,
            "capability": wanted.capability,
            "sender": wanted.sender,
        }
        said = await self._ask("GET", "", params={name: value for name, value in asked.items() if value is not None})
        try:
            return [_number(each) for each in said["numbers"]]
        except (KeyError, TypeError):
            raise InventoryAwayError(f"{self._name} answered what cannot be read") from None

    async def reserve(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Keep a number for half an hour."""
        return await self._order(sender, "reservation", number_id)

    async def provision(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Order a number that is kept for us."""
        return await self._order(sender, "order", number_id)

    async def look(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Return where an order stands."""
        return await self._order(sender, "look", number_id)

    async def release(self, sender: str, *, number_id: UUID) -> InventoryOrder:
        """Give a number back."""
        return await self._order(sender, "release", number_id)

    async def _order(self, sender: str, what: str, number_id: UUID) -> InventoryOrder:
        path = f"/{quote(sender, safe='')}/{what}"
        said = await self._ask("PUT", path, json={"reference": f"num_{number_id.hex}"})
        try:
            return InventoryOrder(sender=said["sender"], status=OrderStatus(said["status"]))
        except (KeyError, ValueError):
            raise InventoryAwayError(f"{self._name} answered what cannot be read") from None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            response = await self._client.request(
                method,
                self._url + path,
                params=params,
                json=json,
                headers=self._headers,
                timeout=self._timeout_s,
                follow_redirects=False,
            )
        except httpx2.RequestError:
            raise InventoryAwayError(f"{self._name} does not answer") from None
        return self._said(response)

    def _said(self, response: httpx2.Response) -> dict[str, Any]:
        """Return the JSON object of an answer, or raise what its status stands for."""
        try:
            said = response.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise InventoryAwayError(f"{self._name} answered what cannot be read")
        match response.status_code, said.get("code"):
            case 200, _:
                return said
            case 409, _:
                raise NumberTakenError(str(said.get("detail", "The number is another's.")))
            case 404, "unknown_number":
                raise UnknownNumberError(str(said.get("detail", "No such number.")))
            case status, _:
                raise InventoryAwayError(f"{self._name} answered {status}")


def _number(row: Mapping[str, Any]) -> InventoryNumber:
    return InventoryNumber(
        sender=row["sender"],
        country=row["country"],
        sender_type=row["sender_type"],
        capabilities=tuple(row["capabilities"]),
        price_micros=row["price_micros"],
        monthly_micros=row["monthly_micros"],
        currency=row["currency"],
        parts_per_s=row["parts_per_s"],
    )
