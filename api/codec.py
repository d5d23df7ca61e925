"""`/codec`: opens sealed payloads for people who look at a workflow in the Temporal UI or with its command line tool.

The path and the bodies are Temporal's (its remote codec protocol), so this lies outside `/v1`. It opens and never
seals: payloads are made by this product's own processes alone.
"""

import base64
from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, EncodedBytes, EncoderProtocol, Field
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from domain.errors import EncodingRefusedError
from services.payload_decoding import RawPayload

router = APIRouter(prefix="/codec", tags=["codec"], route_class=StrictRoute)
# How long a browser remembers that the UI may ask.
_REMEMBERED_S = 600
_Namespace = Annotated[str, Header(alias="X-Namespace", max_length=255, description="Sent by the Temporal UI.")]


class _Strictly(EncoderProtocol):
    """Base64 as the standard has it; Pydantic's own passes over what is none."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        """Return the bytes, or raise `ValueError`."""
        return base64.b64decode(data, validate=True)

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Return the text."""
        return base64.b64encode(value)

    @classmethod
    def get_json_format(cls) -> str:
        """Return what the OpenAPI document calls it."""
        return "base64"


_Base64 = Annotated[bytes, EncodedBytes(encoder=_Strictly)]


class PayloadBody(BaseModel):
    """One payload, its bytes in base64. What else Temporal may put beside them is not needed here."""

    metadata: dict[str, _Base64] = Field(default_factory=dict)
    data: _Base64 = b""


class PayloadsBody(BaseModel):
    """Payloads, in an order that the answer keeps."""

    payloads: list[PayloadBody] = Field(default_factory=list, max_length=1_000)


@router.post("/decode", response_model=PayloadsBody, responses=problems(400, 403))
async def decode_payloads(body: PayloadsBody, namespace: _Namespace, caller: Caller, parts: ThisApp) -> Response:
    """Open payloads. Who asked, for which workflow and how many, is in the audit trail before they are answered."""
    given = [RawPayload(metadata=each.metadata, data=each.data) for each in body.payloads]
    opened = await parts.payloads.decode(caller, given, namespace=namespace)
    # Not validated: what validation takes is base64, and this is what it stands for.
    bodies = [PayloadBody.model_construct(metadata=dict(each.metadata), data=each.data) for each in opened]
    return answer(PayloadsBody.model_construct(payloads=bodies))


@router.post("/encode", responses=problems(400))
async def encode_payloads(_: Caller) -> Response:
    """Refuse: whoever could have payloads sealed could tell workflows anything."""
    raise EncodingRefusedError("Payloads are sealed by the product's own processes, and by nobody else.")


class UiMayAsk:
    """Answers browsers for `/codec` that pages of the Temporal UI's origin may ask, with the operator's login."""

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            allow_credentials=True,
            max_age=_REMEMBERED_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; of `/codec`, with what a browser asks about its origin."""
        is_ours = scope["type"] == "http" and scope["path"].startswith("/codec/")
        await (self._shared if is_ours else self._app)(scope, receive, send)
