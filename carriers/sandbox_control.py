"""The sandbox's tools for the API: read the outbox and the ledger, give carriers their orders."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx2

from domain.errors import InvalidRequestError, NotFoundError, SandboxUnavailableError
from domain.ids import account_id
from domain.sandbox import BehaviourView, LedgerEntry, SandboxBehaviour, SandboxMessage

_AWAY = "The sandbox carriers do not answer; start them, or try again in a moment."
_UNREADABLE = "The sandbox carriers answer what cannot be read; are they of the same version?"

Parsed = TypeVar("Parsed")


class SandboxControl:
    """A client of the sandbox process.

    Orders belong to the account they are given for; those given for none meet every account's messages.

    Every method raises `SandboxUnavailableError` when the process is away or answers what cannot be read.
    """

    def __init__(self, *, base_url: str, secret: str, client: httpx2.AsyncClient, timeout_s: float = 3.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {secret}"}
        self._client = client
        self._timeout_s = timeout_s

    async def messages(self, to: str | None) -> list[SandboxMessage]:
        """Return the newest messages, at most a thousand, to one number or to all; newest last."""
        said = await self._ask("GET", "/messages", params=_filled(to=to))
        return _parsed(said, name="messages", row=_message)

    async def behaviours(self, *, account: UUID | None = None) -> list[BehaviourView]:
        """Return an account's orders in force."""
        said = await self._ask("GET", "/behaviours", params=_filled(account=_public(account)))
        return _parsed(said, name="behaviours", row=_view)

    async def set_behaviour(
        self,
        carrier: str,
        *,
        behaviour: SandboxBehaviour,
        latency_ms: int = 0,
        times: int | None = None,
        to: str | None = None,
        account: UUID | None = None,
    ) -> BehaviourView:
        """Give a carrier an order, for all its messages or those to one number.

        Raises:
            NotFoundError: there is no such carrier; the sentence names those there are.
            InvalidRequestError: a value is out of bounds; the sentence says which.
        """
        order = {
            "behaviour": behaviour,
            "latency_ms": latency_ms,
            "times": times,
            "to": to,
            "account": _public(account),
        }
        said = await self._ask("PUT", f"/behaviours/{quote(carrier, safe='')}", json=order)
        return _parsed({"order": [said]}, name="order", row=_view)[0]

    async def reset(self, carrier: str, *, to: str | None = None, account: UUID | None = None) -> None:
        """Take back all that an account ordered of a carrier, or for one number. Raises `NotFoundError` as above."""
        params = _filled(to=to, account=_public(account))
        await self._ask("DELETE", f"/behaviours/{quote(carrier, safe='')}", params=params)

    async def ledger(self) -> list[LedgerEntry]:
        """Return every submission of the last hour, oldest first."""
        entries: list[LedgerEntry] = []
        while page := await self._ledger_page(after=entries[-1].number if entries else 0):
            entries += page
        return entries

    async def _ledger_page(self, *, after: int) -> list[LedgerEntry]:
        said = await self._ask("GET", "/ledger", params={"after": str(after)})
        return _parsed(said, name="entries", row=_entry)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        try:
            response = await self._client.request(
                method,
                self._base_url + path,
                params=params,
                json=json,
                headers=self._headers,
                timeout=self._timeout_s,
                follow_redirects=False,
            )
        except httpx2.RequestError:
            raise SandboxUnavailableError(_AWAY) from None
        return _said(response)


def _public(account: UUID | None) -> str | None:
    return None if account is None else account_id(account)


def _filled(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _said(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of an answer, or raise what its status stands for."""
    said = _read_object(response)
    match response.status_code:
        case 200 | 204:
            return said
        case 404:
            raise NotFoundError(str(said.get("detail", "The sandbox has no such carrier.")))
        case 422:
            raise InvalidRequestError(str(said.get("detail", "The sandbox does not take this.")))
        case 401:
            raise SandboxUnavailableError("The sandbox carriers were started with another secret.")
        case _:
            raise SandboxUnavailableError(_AWAY)


def _read_object(response: httpx2.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _parsed(said: Mapping[str, Any], *, name: str, row: Callable[[Mapping[str, Any]], Parsed]) -> list[Parsed]:
    try:
        return [row(item) for item in said[name]]
    except (KeyError, TypeError, ValueError):
        raise SandboxUnavailableError(_UNREADABLE) from None


def _message(row: Mapping[str, Any]) -> SandboxMessage:
    return SandboxMessage(
        to=row["to"],
        text=row["text"],
        sender=row["sender"],
        carrier=row["carrier"],
        attempt_id=row["attempt_id"],
        sent_at=datetime.fromisoformat(row["sent_at"]),
    )


def _view(row: Mapping[str, Any]) -> BehaviourView:
    return BehaviourView(
        carrier=row["carrier"],
        behaviour=SandboxBehaviour(row["behaviour"]),
        latency_ms=row["latency_ms"],
        times=row["times"],
        to=row["to"],
    )


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        number=row["number"],
        carrier=row["carrier"],
        attempt_id=row["attempt_id"],
        to=row["to"],
        received_at=datetime.fromisoformat(row["received_at"]),
        behaviour=SandboxBehaviour(row["behaviour"]),
        verdict=row["verdict"],
    )
