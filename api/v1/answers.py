"""Answers written straight to JSON, and the headers by which a start or a resend can be asked for twice."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from api.v1.models import VerificationOut
from domain.errors import InvalidRequestError
from domain.facts import VerificationView
from services.idempotency import Repeatable, StoredAnswer
from services.verifications import Done

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,3})(?:$|[,;\s])")
MAX_WAIT_S = 10

_KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", description="1 to 255 printable ASCII characters without spaces; kept for 24 hours."
    ),
]
Prefer = Annotated[
    str | None,
    Header(alias="Prefer", description=f"`wait=N` waits up to N seconds (at most {MAX_WAIT_S}) for the first answer."),
]


async def _only_key(request: Request, key: _KeyHeader = None) -> str | None:
    """Return the Idempotency-Key; of two, each reader on the way would take another. Asynchronous, as `parts_of` is."""
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise InvalidRequestError("Idempotency-Key: send it once.")
    return key


IdempotencyKey = Annotated[str | None, Depends(_only_key)]


def answer(model: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a model as the answer, without a second round of validation."""
    return Response(model.model_dump_json(), status_code=status, headers=headers, media_type="application/json")


def repeatable(
    key: str | None, *, what: str, body: BaseModel | None = None, render: Callable[[Any], str] | None = None
) -> Repeatable | None:
    """Return how a request may be repeated, or None when it came without an Idempotency-Key.

    Raises:
        InvalidRequestError: the key is empty, too long, or not printable.

    """
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequestError("Idempotency-Key: 1 to 255 printable ASCII characters without spaces.")
    content = {} if body is None else body.model_dump(mode="json", exclude_unset=True)
    fingerprint = hashlib.sha256(f"{what}\n{json.dumps(content, sort_keys=True)}".encode()).hexdigest()
    return Repeatable(key=key, fingerprint=fingerprint, render=render or _render)


def seconds_to_wait(prefer: str | None) -> int:
    """Return how long a caller is ready to wait (RFC 7240), 0 when it did not say."""
    match = _WAIT.search(prefer or "")
    return 0 if match is None else min(int(match[1]), MAX_WAIT_S)


def done(outcome: Done | StoredAnswer, *, view: VerificationView | None = None) -> Response:
    """Return the answer to a start or a resend: fresh, or word for word what the first request was told."""
    if isinstance(outcome, StoredAnswer):
        headers = {"Idempotency-Replayed": "true", **_location(json.loads(outcome.body)["id"], outcome.status)}
        return Response(outcome.body, status_code=outcome.status, headers=headers, media_type="application/json")
    model = VerificationOut.of(view or outcome.view)
    return answer(model, status=outcome.status, headers=_location(model.id, outcome.status))


def _location(public_id: str, status: int) -> dict[str, str]:
    return {"Location": f"/v1/verifications/{public_id}"} if status == 201 else {}  # noqa: PLR2004 - Created


def _render(view: VerificationView) -> str:
    return VerificationOut.of(view).model_dump_json()
