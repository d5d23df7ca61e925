"""`/v1/operators`: the people of the instance, and how an invited one becomes an operator."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field, Strict, StringConstraints

from api.addresses import address_of_request
from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import PRINTABLE, StrictBody
from api.v1.moments import Instant
from domain.access import Role
from domain.errors import InvalidRequestError, NotFoundError
from domain.ids import operator_id as public_id
from domain.ids import parse
from domain.operator_errors import InvitationEndedError
from domain.operators import OperatorChanges, OperatorStatus
from rules.second_factor import LONGEST_PASSWORD
from services.allowlists import MAX_NETWORKS
from services.operators import Invited, OperatorView

router = APIRouter(prefix="/v1/operators", tags=["operators"], route_class=StrictRoute)
SECRET = {"Cache-Control": "no-store"}
Email = Annotated[str, Field(max_length=254, examples=["ada@example.com"])]
Code = Annotated[
    str,
    Field(max_length=64, description="Six digits of the authenticator app, or a recovery code.", examples=["123456"]),
]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]
_Network = Annotated[str, StringConstraints(min_length=2, max_length=49, pattern=r"^[0-9A-Fa-f:./]+$")]
_Allowlist = Annotated[list[_Network], Field(max_length=MAX_NETWORKS)]
_Invitation = Annotated[str, Field(max_length=64, description="`cs_inv_…`, as the owner who invited was told it.")]


class NewOperatorIn(StrictBody):
    """Whom to invite, and what they are there for."""

    email: Email
    name: _Name
    role: Role


class OperatorChangesIn(StrictBody):
    """What is to be another; what is left out stays, and an empty allowlist lets every address in."""

    name: _Name | None = None
    role: Role | None = None
    status: OperatorStatus | None = Field(
        default=None, description="`disabled` signs them out; `active` lets them back."
    )
    allowlist: _Allowlist | None = None
    allow_lockout: Annotated[bool, Strict()] = Field(
        default=False, description="Take an allowlist of your own with which you could not call from here any more."
    )

    def to_changes(self) -> OperatorChanges:
        """Return what the use case takes.

        Raises:
            InvalidRequestError: nothing was sent that could change; or the status is none that can be given.

        """
        changes = OperatorChanges()
        if self.name is not None:
            changes["name"] = self.name
        if self.role is not None:
            changes["role"] = self.role
        if self.status is OperatorStatus.INVITED:
            raise InvalidRequestError("status: active or disabled; to invite them anew, reset their factor.")
        if self.status is not None:
            changes["status"] = self.status
        if self.allowlist is not None:
            changes["allowlist"] = tuple(self.allowlist)
        if not changes:
            raise InvalidRequestError("Send at least one field: name, role, status or allowlist.")
        return changes


class AcceptanceIn(StrictBody):
    """An invitation, and the password that the operator chose."""

    invitation: _Invitation
    password: str = Field(max_length=LONGEST_PASSWORD, description="12 characters at least; longer is better.")


class EnrolmentIn(StrictBody):
    """An invitation, and a code of the authenticator app that was enrolled."""

    invitation: _Invitation
    code: Code


class OperatorOut(BaseModel):
    """An operator."""

    id: str = Field(examples=["opr_01a203ba79d976569377c7f4645278a3"])
    email: str
    name: str
    role: Role
    status: OperatorStatus
    allowlist: list[str]
    created_at: Instant
    enrolled_at: Instant | None

    @classmethod
    def of(cls, view: OperatorView) -> Self:
        """Return the model of an operator."""
        facts = view.facts
        return cls(
            id=public_id(facts.id),
            email=view.email,
            name=facts.name,
            role=facts.role,
            status=facts.status,
            allowlist=list(facts.allowlist),
            created_at=facts.created_at,
            enrolled_at=facts.enrolled_at,
        )


class OperatorsOut(BaseModel):
    """Every operator, oldest first."""

    operators: list[OperatorOut]


class InvitedOut(BaseModel):
    """An operator just invited; the invitation is shown this once."""

    operator: OperatorOut
    invitation: str = Field(examples=["cs_inv_…"], description="Give it to them by a way that only they read.")
    expires_at: Instant

    @classmethod
    def of(cls, invited: Invited) -> Self:
        """Return the model of an invitation."""
        return cls(operator=OperatorOut.of(invited.view), invitation=invited.token, expires_at=invited.expires_at)


class EnrolmentOut(BaseModel):
    """What an authenticator app is enrolled with, shown this once."""

    otpauth_uri: str
    qr_svg: str = Field(description="The same as a QR code: an SVG image.")


class RecoveryCodesOut(BaseModel):
    """Ten codes, each good once in place of the second factor; shown this once."""

    recovery_codes: list[str]


async def operator_id(
    caller: Caller,  # noqa: ARG001 - who is not known learns nothing, not even that this can be no id
    operator_id: Annotated[str, Path(description="`opr_…`", max_length=64)],
) -> UUID:
    """Return the id in the path; text that cannot be one names nothing."""
    parsed = parse(operator_id, prefix="opr")
    if parsed is None:
        raise NotFoundError("There is no such operator.")
    return parsed


_OperatorId = Annotated[UUID, Depends(operator_id)]


@router.post("", status_code=201, response_model=InvitedOut, responses=problems(400, 409))
async def invite_operator(body: NewOperatorIn, caller: Caller, parts: ThisApp) -> Response:
    """Invite a person. They choose a password and a second factor within 72 hours."""
    invited = await parts.people.operators.invite(email=body.email, name=body.name, role=body.role, actor=caller.actor)
    return answer(InvitedOut.of(invited), status=201, headers=SECRET)


@router.get("", response_model=OperatorsOut, responses=problems())
async def list_operators(caller: Caller, parts: ThisApp) -> Response:  # noqa: ARG001 - asked who
    """List the people of the instance, oldest first."""
    return answer(OperatorsOut(operators=[OperatorOut.of(each) for each in await parts.people.operators.list()]))


@router.post("/accept", response_model=EnrolmentOut, responses=problems(400, 410))
async def accept_invitation(body: AcceptanceIn, request: Request, parts: ThisApp) -> Response:
    """Take an invitation with a password; the answer has what your authenticator app is enrolled with."""
    try:
        enrolment = await parts.people.enrolments.accept(body.invitation, password=body.password)
    except InvitationEndedError:
        await _count_failure(request, parts)
        raise
    return answer(EnrolmentOut(otpauth_uri=enrolment.uri, qr_svg=enrolment.qr_svg), headers=SECRET)


@router.post("/enrol", response_model=RecoveryCodesOut, responses=problems(400, 410))
async def enrol_operator(body: EnrolmentIn, request: Request, parts: ThisApp) -> Response:
    """Show that the app works, and become an operator. The answer has your recovery codes, this once."""
    try:
        codes = await parts.people.enrolments.enrol(body.invitation, code=body.code)
    except InvitationEndedError:
        await _count_failure(request, parts)
        raise
    return answer(RecoveryCodesOut(recovery_codes=codes), headers=SECRET)


@router.patch("/{operator_id}", response_model=OperatorOut, responses=problems(400, 409))
async def change_operator(
    operator_id: _OperatorId, body: OperatorChangesIn, caller: Caller, parts: ThisApp
) -> Response:
    """Change an operator's name, role or allowlist; disable them, or let them back. It holds for their next request."""
    after = await parts.people.operators.change(
        operator_id, body.to_changes(), actor=caller.actor, by=caller, may_lock_out=body.allow_lockout
    )
    return answer(OperatorOut.of(after))


@router.post("/{operator_id}/reset-factor", response_model=InvitedOut, responses=problems(409))
async def reset_operator_factor(operator_id: _OperatorId, caller: Caller, parts: ThisApp) -> Response:
    """Take an operator's password and second factor away, and invite them anew: for a lost phone, or a lost letter."""
    return answer(
        InvitedOut.of(await parts.people.operators.reset_factor(operator_id, actor=caller.actor)), headers=SECRET
    )


async def _count_failure(request: Request, parts: Any) -> None:
    address = address_of_request(request, proxies=parts.proxies)
    await parts.rates.count_failure(None if address is None else str(address))
