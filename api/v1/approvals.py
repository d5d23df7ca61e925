"""`/v1/approvals`: what machines ask operators to approve, and what operators say to it."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.errors import NotFoundError
from domain.ids import account_id, parse
from domain.ids import approval_id as public_id
from domain.operators import ApprovalStatus
from domain.statuses import Environment
from services.approvals import MAX_PAGE, ApprovalView

router = APIRouter(prefix="/v1/approvals", tags=["operators"], route_class=StrictRoute)


class ApprovalOut(BaseModel):
    """A request that waits, or waited, for an operator's word."""

    id: str = Field(examples=["apr_01a203ba79d976569377c7f4645278a3"])
    status: ApprovalStatus
    account_id: str
    environment: Environment
    asked_by: str = Field(examples=["key:4fGh81Kz"])
    operation: str = Field(examples=["create_key"])
    path: str = Field(examples=["/v1/keys"])
    body_sha256: str
    created_at: Instant
    expires_at: Instant
    decided_at: Instant | None
    decided_by: str | None

    @classmethod
    def of(cls, view: ApprovalView) -> Self:
        """Return the model of an approval."""
        return cls(**_fields_of(view))


class ApprovalWithBodyOut(ApprovalOut):
    """The same, with the body of the request where you may decide it and it is still kept."""

    body: str | None

    @classmethod
    def whole(cls, view: ApprovalView) -> Self:
        """Return the model of an approval with its body."""
        return cls(body=view.body, **_fields_of(view))


class ApprovalsOut(BaseModel):
    """Approvals, newest first."""

    approvals: list[ApprovalOut]


class ApprovalsQuery(StrictBody):
    """Which approvals to list."""

    status: ApprovalStatus | None = None
    limit: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE)


async def approval_id(
    caller: Caller,  # noqa: ARG001 - who is not known learns nothing, not even that this can be no id
    approval_id: Annotated[str, Path(description="`apr_…`", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = parse(approval_id, prefix="apr")
    if parsed is None:
        raise NotFoundError("There is no such approval.")
    return parsed


_ApprovalId = Annotated[UUID, Depends(approval_id)]


@router.get("", response_model=ApprovalsOut, responses=problems())
async def list_approvals(query: Annotated[ApprovalsQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List approvals, newest first: of the account and environment acted on; of all, where an operator names none."""
    found = await parts.people.approvals.list(caller, status=query.status, limit=query.limit)
    return answer(ApprovalsOut(approvals=[ApprovalOut.of(each) for each in found]))


@router.get("/{approval_id}", response_model=ApprovalWithBodyOut, responses=problems())
async def read_approval(approval_id: _ApprovalId, caller: Caller, parts: ThisApp) -> Response:
    """Read one: what was asked for, and what became of it."""
    return answer(ApprovalWithBodyOut.whole(await parts.people.approvals.read(caller, approval_id)))


@router.post("/{approval_id}/approve", response_model=ApprovalOut, responses=problems(409))
async def approve_request(approval_id: _ApprovalId, caller: Caller, parts: ThisApp) -> Response:
    """Approve it: the machine may send the request again, once, within an hour."""
    return answer(ApprovalOut.of(await parts.people.approvals.decide(caller, approval_id, is_approved=True)))


@router.post("/{approval_id}/reject", response_model=ApprovalOut, responses=problems(409))
async def reject_request(approval_id: _ApprovalId, caller: Caller, parts: ThisApp) -> Response:
    """Reject it."""
    return answer(ApprovalOut.of(await parts.people.approvals.decide(caller, approval_id, is_approved=False)))


def _fields_of(view: ApprovalView) -> dict[str, Any]:
    facts = view.facts
    return {
        "id": public_id(facts.id),
        "status": facts.status,
        "account_id": account_id(facts.account_id),
        "environment": facts.environment,
        "asked_by": facts.actor,
        "operation": facts.operation,
        "path": facts.path,
        "body_sha256": facts.body_hash,
        "created_at": facts.created_at,
        "expires_at": facts.expires_at,
        "decided_at": facts.decided_at,
        "decided_by": facts.decided_by,
    }
