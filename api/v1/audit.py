"""`/v1/audit`: what happened on an account, the whole chain to take away, and the key that vouches for it."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import Moment, StrictBody
from domain.audit import JsonScalar
from domain.statuses import Environment
from rules.audit.chain import Link
from services.audit import AuditPage, AuditQuery

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)
MAX_PAGE, DEFAULT_PAGE = 100, 50
_LINES = "application/jsonl"


class AuditEntryOut(BaseModel):
    """One entry. `hash` is SHA-256 over `previous` and the entry in canonical form."""

    sequence: int
    at: str = Field(description="As it is hashed: with six decimals.", json_schema_extra={"format": "date-time"})
    environment: Environment | None
    actor: str = Field(examples=["key:AbCd1234"])
    action: str = Field(examples=["number.unlocked"])
    subject: str | None
    details: dict[str, JsonScalar]
    previous: str
    hash: str

    @classmethod
    def of(cls, link: Link) -> "AuditEntryOut":
        """Return the model of an entry."""
        return cls(
            sequence=link.sequence,
            at=link.at,
            environment=None if link.environment is None else Environment(link.environment),
            actor=link.actor,
            action=link.action,
            subject=link.subject,
            details=json.loads(link.details),
            previous=link.previous,
            hash=link.hash,
        )


class AuditPageOut(BaseModel):
    """A page of entries, newest first; `next_cursor` is null on the last one."""

    entries: list[AuditEntryOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: AuditPage) -> "AuditPageOut":
        """Return the model of a page."""
        return cls(entries=[AuditEntryOut.of(each) for each in page.items], next_cursor=page.next_cursor)


class AuditListQuery(StrictBody):
    """Which entries to list."""

    action: str | None = Field(default=None, max_length=64, pattern=r"^[a-z_]+\.[a-z_]+$")
    actor: str | None = Field(default=None, max_length=80, pattern=r"^[!-~]+$")
    subject: str | None = Field(default=None, max_length=96, pattern=r"^[!-~]+$")
    since: Moment | None = Field(default=None, alias="from", description="Entries of this moment or later.")
    until: Moment | None = Field(default=None, alias="to", description="Entries before this moment.")
    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=40)


class AuditKeyOut(BaseModel):
    """The public key that checkpoints are signed with."""

    kid: str
    algorithm: str = "Ed25519"
    public_key: str = Field(description="32 bytes in base64.")


@router.get("", response_model=AuditPageOut, responses=problems())
async def list_audit(query: Annotated[AuditListQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List what happened on the account, newest first; what is of its other environment is left out."""
    page = await parts.audit.page(
        caller,
        AuditQuery(
            action=query.action,
            actor=query.actor,
            subject=query.subject,
            since=query.since,
            until=query.until,
            limit=query.limit,
            cursor=query.cursor,
        ),
    )
    return answer(AuditPageOut.of(page))


@router.get(
    "/export",
    responses={200: {"content": {_LINES: {}}, "description": "JSON, one object a line"}, **problems()},
    response_class=StreamingResponse,
)
async def export_audit(caller: Caller, parts: ThisApp) -> Response:
    """Export the account's chain with its checkpoints, one JSON object a line.

    The last line is of type `end`; without it the export is not whole. Entries of the other environment are `withheld`:
    their hashes are there, so that the chain can be followed.
    """
    return StreamingResponse(await parts.audit.export(caller), media_type=_LINES)


@router.get("/key", response_model=AuditKeyOut, responses=problems())
async def read_audit_key(caller: Caller, parts: ThisApp) -> Response:  # noqa: ARG001 - a key is asked for
    """Read the public key that checkpoints are signed with; keep it where the trail is not."""
    key = parts.audit.key()
    return answer(AuditKeyOut(kid=key.kid, public_key=key.public_key))
