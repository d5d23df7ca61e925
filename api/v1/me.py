"""`/v1/me`: who is calling, as we see it."""

from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.callers import Caller
from api.problems import problems
from api.v1.answers import answer
from domain.access import Role, Scope
from domain.facts import Caller as CallerFacts
from domain.ids import account_id
from domain.statuses import Environment

router = APIRouter(prefix="/v1", tags=["accounts"])


class CallerOut(BaseModel):
    """A caller: which account and environment, through which key, with what power, from where."""

    account_id: str | None
    account_name: str
    environment: Environment | None = Field(description="Null for an operator who has not said on which account.")
    key_id: str = Field(description="The key's id, or the `client_id` where a token was sent.")
    scopes: list[Scope]
    role: Role | None
    address: str | None = Field(description="Your address as we see it: what an allowlist must let in.")

    @classmethod
    def of(cls, caller: CallerFacts) -> Self:
        """Return the model of a caller."""
        return cls(
            account_id=None if caller.acts_on is None else account_id(caller.acts_on),
            account_name=caller.account_name,
            environment=None if caller.acts_on is None else caller.environment,
            key_id=caller.key_id,
            scopes=sorted(caller.scopes),
            role=caller.role,
            address=caller.address,
        )


@router.get("/me", response_model=CallerOut, responses=problems())
async def read_caller(caller: Caller) -> Response:
    """Read who you are, what you may do, and where you call from as we see it."""
    return answer(CallerOut.of(caller))
