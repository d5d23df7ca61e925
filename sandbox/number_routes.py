"""The sandbox's endpoints of numbers: a carrier's inventory, and orders from it."""

import re
from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.inventory import InventoryOrder
from sandbox.forms import NumberReference, read_form
from sandbox.refusals import RefusedError
from sandbox.routes import carrier_of
from sandbox.settings import SandboxSettings
from sandbox.world import World

_COUNTRY = re.compile(r"[A-Z]{2}")
_NUMBERS = "/carriers/{carrier}/numbers"


class NumberEndpoints:
    """One method per endpoint; each asks the inventory once and answers."""

    def __init__(self, *, world: World, settings: SandboxSettings) -> None:
        self._inventory = world.inventory
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return the endpoints with their paths."""
        return [
            Route(_NUMBERS, self.search, methods=["GET"]),
            Route(_NUMBERS + "/{sender}/reservation", self.reserve, methods=["PUT"]),
            Route(_NUMBERS + "/{sender}/order", self.order, methods=["PUT"]),
            Route(_NUMBERS + "/{sender}/look", self.look, methods=["PUT"]),
            Route(_NUMBERS + "/{sender}/release", self.release, methods=["PUT"]),
        ]

    async def search(self, request: Request) -> Response:
        """Answer the first numbers that are free and fit `?country=`, `?type=`, `?capability=`, `?sender=`."""
        country = request.query_params.get("country", "")
        if _COUNTRY.fullmatch(country) is None:
            raise RefusedError("country: two capital letters.", status=422, code="invalid")
        found = self._inventory.search(
            carrier=carrier_of(request, known=self._settings.carriers),
            country=country,
            sender_type=request.query_params.get("type"),
            capability=request.query_params.get("capability"),
            sender=request.query_params.get("sender"),
        )
        return JSONResponse({"numbers": [asdict(each) for each in found]})

    async def reserve(self, request: Request) -> Response:
        """Keep a number for half an hour."""
        return await self._asked(request, self._inventory.reserve, otherwise="The number is another's.")

    async def order(self, request: Request) -> Response:
        """Order a number that is reserved; it becomes active later."""
        return await self._asked(request, self._inventory.order, otherwise="The number is not reserved for you.")

    async def look(self, request: Request) -> Response:
        """Answer what became of a number."""
        return await self._asked(request, self._inventory.find, otherwise="The number was never yours.")

    async def release(self, request: Request) -> Response:
        """Take a number back."""
        return await self._asked(request, self._inventory.release, otherwise="The number was never yours.")

    async def _asked(self, request: Request, ask: Callable[..., InventoryOrder | None], *, otherwise: str) -> Response:
        carrier = carrier_of(request, known=self._settings.carriers)
        sender = str(request.path_params["sender"])
        form = await read_form(request, NumberReference)
        if not self._inventory.offers(carrier=carrier, sender=sender):
            raise RefusedError(f"{carrier} has no such number.", status=404, code="unknown_number")
        order = ask(carrier=carrier, sender=sender, reference=form.reference)
        if order is None:
            raise RefusedError(otherwise, status=409, code="number_taken")
        return JSONResponse(asdict(order))
