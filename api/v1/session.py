"""`/v1/session`: operators sign in, prove their second factor anew, and sign out."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.addresses import address_of_request
from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.parts import Parts
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.moments import Instant
from api.v1.operators import SECRET, Code, Email
from domain.access import Role
from domain.facts import Caller as CallerFacts
from domain.ids import operator_id, session_id
from domain.operator_errors import SignInRefusedError
from domain.operators import SessionFacts
from rules.second_factor import LONGEST_PASSWORD, STEP_UP_S
from services.operator_sessions import NewSession, SignIn

router = APIRouter(prefix="/v1/session", tags=["operators"], route_class=StrictRoute)
_Password = Annotated[str, Field(max_length=LONGEST_PASSWORD)]


class SignInIn(StrictBody):
    """What an operator signs in with."""

    email: Email
    password: _Password
    code: Code


class StepUpIn(StrictBody):
    """A fresh second factor."""

    code: Code


class SessionOut(BaseModel):
    """A session: until when it lasts at the latest, and until when sensitive operations are open to it."""

    id: str = Field(examples=["ses_01a203ba79d976569377c7f4645278a3"])
    operator_id: str
    created_at: Instant
    expires_at: Instant = Field(description="At the latest; half an hour without a request ends it sooner.")
    stepped_up_at: Instant
    sensitive_until: Instant

    @classmethod
    def of(cls, facts: SessionFacts) -> Self:
        """Return the model of a session."""
        return cls(**_fields_of(facts))


class OwnSessionOut(SessionOut):
    """The caller's session, and what they are there for."""

    role: Role
    address: str | None = Field(description="Your address as we see it.")

    @classmethod
    def of_caller(cls, facts: SessionFacts, caller: CallerFacts) -> Self:
        """Return the model of the caller's session."""
        return cls.model_validate({**_fields_of(facts), "role": caller.role, "address": caller.address})


class NewSessionOut(SessionOut):
    """A session just made, with its token, this once."""

    token: str = Field(examples=["cs_ses_…"])


@router.post("", status_code=201, response_model=NewSessionOut, responses=problems(400))
async def sign_in(body: SignInIn, request: Request, parts: ThisApp) -> Response:
    """Sign in. The answer has a token, to be sent as `Authorization: Bearer cs_ses_…`, this once."""
    session = await signed_in(body, request, parts)
    return answer(NewSessionOut(token=session.token, **_fields_of(session.facts)), status=201, headers=SECRET)


@router.get("", response_model=OwnSessionOut, responses=problems())
async def read_session(caller: Caller, parts: ThisApp) -> Response:
    """Read your session."""
    return answer(OwnSessionOut.of_caller(await parts.people.sessions.read(caller), caller))


@router.delete("", status_code=204, responses=problems())
async def sign_out(caller: Caller, parts: ThisApp) -> Response:
    """Sign out."""
    await parts.people.sessions.sign_out(caller)
    return Response(status_code=204)


@router.post("/step-up", response_model=SessionOut, responses=problems(400))
async def step_up(body: StepUpIn, caller: Caller, parts: ThisApp) -> Response:
    """Prove your second factor anew; for five minutes, sensitive operations are open to you."""
    return answer(SessionOut.of(await parts.people.sessions.step_up(caller, body.code)))


async def signed_in(body: SignInIn, request: Request, parts: Parts) -> NewSession:
    """Return a new session; one that is refused counts against the address that it was asked from."""
    address = address_of_request(request, proxies=parts.proxies)
    given = SignIn(email=body.email, password=body.password, code=body.code)
    try:
        return await parts.people.sessions.sign_in(given, address=address)
    except SignInRefusedError:
        await parts.rates.count_failure(None if address is None else str(address))
        raise


def _fields_of(facts: SessionFacts) -> dict[str, str | datetime]:
    return {
        "id": session_id(facts.id),
        "operator_id": operator_id(facts.operator_id),
        "created_at": facts.created_at,
        "expires_at": facts.expires_at,
        "stepped_up_at": facts.stepped_up_at,
        "sensitive_until": facts.stepped_up_at + timedelta(seconds=STEP_UP_S),
    }
