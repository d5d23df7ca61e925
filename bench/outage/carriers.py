"""Carriers on a real socket, spoken to as the sandbox's are, that do as the drill has it at this moment."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECRET = "a secret of the drill"  # noqa: S105 - it guards made-up carriers on the loopback
_HANGS_S = 30.0


class Word(StrEnum):
    """What a carrier says to a message."""

    TAKES = "takes"
    REFUSES = "refuses"
    HANGS = "hangs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a carrier does with a message: its word, whether the message arrives, whether a receipt says so."""

    word: Word = Word.TAKES
    arrives: bool = True
    has_receipt: bool = True
    conversion: float = 1.0


REFUSES = Behaviour(word=Word.REFUSES, arrives=False, has_receipt=False)
HANGS = Behaviour(word=Word.HANGS, arrives=False, has_receipt=False)
LOSES = Behaviour(arrives=False, has_receipt=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A message as a carrier got it."""

    carrier: str
    reference: str
    to: str
    sender: str
    text: str


class Carriers:
    """The carriers: they ask what to do with a message, do it, and say that they did."""

    def __init__(self) -> None:
        self.behave: Callable[[Handed], Behaviour] = lambda _: Behaviour()
        self.did: Callable[[Handed, Behaviour], None] = lambda _message, _behaviour: None
        self.app = Starlette(routes=[Route("/carriers/{carrier}/messages", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        said = json.loads(await request.body())
        message = Handed(
            carrier=request.path_params["carrier"],
            reference=said["reference"],
            to=said["to"],
            sender=said["sender"],
            text=said["text"],
        )
        behaviour = self.behave(message)
        if behaviour.word is Word.HANGS:
            await asyncio.sleep(_HANGS_S)
        self.did(message, behaviour)
        if behaviour.word is Word.REFUSES:
            return JSONResponse({"code": "refused"}, status_code=503)
        return JSONResponse({"id": message.reference}, status_code=202)


def receipt(reference: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers by which a carrier says that a message was delivered."""
    body, timestamp = json.dumps({"reference": reference, "status": "delivered"}).encode(), str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/json",
        "x-sandbox-timestamp": timestamp,
        "x-sandbox-signature": signature,
    }
