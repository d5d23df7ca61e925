"""The sandbox's endpoints: carriers to hand messages to, and the tools to read and direct them."""

import re
from collections.abc import Callable
from dataclasses import asdict

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.ids import new_id
from domain.sandbox import BehaviourView, LedgerEntry, SandboxMessage
from sandbox.behaviours import HANG_S
from sandbox.forms import NewBehaviour, NewMessage, read_form
from sandbox.refusals import RefusedError, refusal
from sandbox.settings import SandboxSettings
from sandbox.waiting import hold
from sandbox.world import World

# No more digits than SQLite's integers hold.
_ENTRY_NUMBER = re.compile(r"[0-9]{1,18}")


class Endpoints:
    """One method per endpoint; each reads a form, asks the world once and answers."""

    def __init__(self, *, world: World, settings: SandboxSettings, is_stopping: Callable[[], bool]) -> None:
        self._world = world
        self._settings = settings
        self._is_stopping = is_stopping

    def routes(self) -> list[Route]:
        """Return the endpoints with their paths."""
        return [
            Route("/carriers/{carrier}/messages", self.submit, methods=["POST"]),
            Route("/messages", self.messages, methods=["GET"]),
            Route("/ledger", self.ledger, methods=["GET"]),
            Route("/behaviours", self.behaviours, methods=["GET"]),
            Route("/behaviours/{carrier}", self.set_behaviour, methods=["PUT"]),
            Route("/behaviours/{carrier}", self.reset, methods=["DELETE"]),
        ]

    async def submit(self, request: Request) -> Response:
        """Take a message, and answer as the carrier was told to. The record is written before the answer."""
        carrier = self._carrier(request)
        message = await read_form(request, NewMessage)
        outcome = self._world.hand_over(message, carrier=carrier)
        effect = outcome.effect
        wait_s = outcome.latency_s + (0 if effect.is_answered else HANG_S)
        await hold(request, wait_s=wait_s, is_stopping=self._is_stopping)
        if not effect.is_answered:
            return refusal(status=504, code="no_answer", detail="The carrier did not answer.")
        if effect.refusal is not None:
            return refusal(**asdict(effect.refusal))
        return JSONResponse({"id": f"msg_{new_id().hex}"}, status_code=202)

    async def messages(self, request: Request) -> Response:
        """Answer the messages on the handsets, newest last."""
        self._world.forget()
        found = self._world.outbox.messages(to=request.query_params.get("to"))
        return JSONResponse({"messages": [_message_json(message) for message in found]})

    async def ledger(self, request: Request) -> Response:
        """Answer a page of the ledger; `?after=` is the last number the reader has."""
        self._world.forget()
        entries = self._world.outbox.ledger(after=_after(request.query_params))
        return JSONResponse({"entries": [_entry_json(entry) for entry in entries]})

    async def behaviours(self, request: Request) -> Response:
        """Answer the orders in force of `?account=`, or those of none."""
        self._world.forget()
        found = self._world.switchboard.orders(account=request.query_params.get("account"))
        return JSONResponse({"behaviours": [asdict(view) for view in found]})

    async def set_behaviour(self, request: Request) -> Response:
        """Give a carrier an order."""
        carrier = self._carrier(request)
        form = await read_form(request, NewBehaviour)
        view = BehaviourView(carrier=carrier, **form.model_dump(exclude={"account"}))
        self._world.switchboard.put(view, account=form.account)
        return JSONResponse(asdict(view))

    async def reset(self, request: Request) -> Response:
        """Take back what `?account=` ordered of a carrier, or the one order for `?to=`."""
        carrier, query = self._carrier(request), request.query_params
        self._world.switchboard.remove(carrier=carrier, to=query.get("to"), account=query.get("account"))
        return Response(status_code=204)

    def _carrier(self, request: Request) -> str:
        return carrier_of(request, known=self._settings.carriers)


def carrier_of(request: Request, *, known: tuple[str, ...]) -> str:
    """Return the carrier that a path names, or refuse one that is not here."""
    carrier = str(request.path_params["carrier"])
    if carrier not in known:
        raise RefusedError(f"No such carrier here; there are {', '.join(known)}.", status=404, code="unknown_carrier")
    return carrier


def _after(query: QueryParams) -> int:
    text = query.get("after", "0")
    if _ENTRY_NUMBER.fullmatch(text) is None:
        raise RefusedError("after: must be the number of a ledger entry.", status=422, code="invalid")
    return int(text)


def _message_json(message: SandboxMessage) -> dict[str, object]:
    return {**asdict(message), "sent_at": message.sent_at.isoformat()}


def _entry_json(entry: LedgerEntry) -> dict[str, object]:
    return {**asdict(entry), "received_at": entry.received_at.isoformat()}
