"""`/v1/accounts`: the businesses that call the API. An account's own key sees its own; to administer takes more."""

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, Strict, StringConstraints
from pydantic.config import JsonDict

from api.bodies import StrictRoute
from api.callers import AccountId, Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import PRINTABLE, Brand, StrictBody
from api.v1.moments import Instant
from domain.accounts import AccountChanges, AccountFacts
from domain.errors import InvalidRequestError
from domain.ids import account_id as public_id
from domain.ids import parse
from domain.statuses import AccountStatus
from services.accounts import DEFAULT_PAGE, MAX_PAGE, NewAccount

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=StrictRoute)
_Plan = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
_RequestsPerS = Annotated[int, Strict(), Field(ge=1, le=100_000)]
_SendsPerDay = Annotated[int, Strict(), Field(ge=0, le=1_000_000_000)]


def _left_out(value: Any) -> Any:
    """Return a field that may be left out, yet is not null: its default is never looked at, and not documented."""
    return Field(default=value, json_schema_extra=_without_default)


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class NewAccountIn(StrictBody):
    """A business; its name is what messages call it where a request names no brand."""

    name: Brand
    plan: _Plan = Field(default="standard", description="Your own word for what was agreed.")
    requests_per_s: _RequestsPerS | None = Field(default=None, description="Over all of its keys.")
    sends_per_day: _SendsPerDay | None = Field(default=None, description="Messages a day, UTC, per environment.")


class AccountChangesIn(StrictBody):
    """What is to be another; what is left out stays, and null takes a limit away."""

    name: Brand = _left_out("")
    status: AccountStatus = _left_out(AccountStatus.ACTIVE)
    reason: _Reason | None = Field(default=None, description="Why the status is what it is; the account is told.")
    plan: _Plan = _left_out("")
    requests_per_s: _RequestsPerS | None = None
    sends_per_day: _SendsPerDay | None = None

    def to_changes(self) -> AccountChanges:
        """Return what the use case takes: the fields that were sent.

        Raises:
            InvalidRequestError: none was.

        """
        if not self.model_fields_set:
            raise InvalidRequestError("Send at least one field: name, status, reason, plan or a limit.")
        changes = AccountChanges()
        for name in self.model_fields_set:
            changes["status_reason" if name == "reason" else name] = getattr(self, name)  # type: ignore[literal-required]
        if self.model_fields_set & {"status", "reason"} == {"status"}:
            changes["status_reason"] = None
        return changes


class AccountOut(BaseModel):
    """An account, and how it stands."""

    id: str = Field(examples=["acc_01a203ba79d976569377c7f4645278a3"])
    name: str
    status: AccountStatus
    reason: str | None
    plan: str
    requests_per_s: int | None
    sends_per_day: int | None
    created_at: Instant

    @classmethod
    def of(cls, facts: AccountFacts) -> Self:
        """Return the model of an account."""
        return cls(
            id=public_id(facts.id),
            name=facts.name,
            status=facts.status,
            reason=facts.status_reason,
            plan=facts.plan,
            requests_per_s=facts.requests_per_s,
            sends_per_day=facts.sends_per_day,
            created_at=facts.created_at,
        )


class AccountsOut(BaseModel):
    """A page of accounts, newest first; `next_cursor` is null on the last one."""

    accounts: list[AccountOut]
    next_cursor: str | None


class AccountsQuery(StrictBody):
    """Which page of accounts."""

    limit: int = Field(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=64)

    def before(self) -> UUID | None:
        """Return the account that the page begins after.

        Raises:
            InvalidRequestError: the cursor is not one that this list gave.

        """
        found = None if self.cursor is None else parse(self.cursor, prefix="acc")
        if self.cursor is not None and found is None:
            raise InvalidRequestError("The cursor is not one that this list gave; leave it out to begin anew.")
        return found


@router.post("", status_code=201, response_model=AccountOut, responses=problems(400))
async def create_account(body: NewAccountIn, caller: Caller, parts: ThisApp) -> Response:
    """Make an account. It has no keys yet."""
    made = await parts.accounts.create(NewAccount(**body.model_dump()), actor=caller.actor)
    model = AccountOut.of(made)
    return answer(model, status=201, headers={"Location": f"/v1/accounts/{model.id}"})


@router.get("", response_model=AccountsOut, responses=problems())
async def list_accounts(query: Annotated[AccountsQuery, Query()], caller: Caller, parts: ThisApp) -> Response:
    """List accounts, newest first: the key's own, or all of them with the scope `accounts`."""
    page = await parts.accounts.list(caller, limit=query.limit, cursor=query.before())
    cursor = None if page.next_cursor is None else public_id(page.next_cursor)
    return answer(AccountsOut(accounts=[AccountOut.of(each) for each in page.items], next_cursor=cursor))


@router.get("/{account_id}", response_model=AccountOut, responses=problems())
async def read_account(account_id: AccountId, caller: Caller, parts: ThisApp) -> Response:
    """Read an account: how it stands, its plan and its limits."""
    return answer(AccountOut.of(await parts.accounts.read(caller, account_id)))


@router.patch("/{account_id}", response_model=AccountOut, responses=problems(400))
async def change_account(account_id: AccountId, body: AccountChangesIn, caller: Caller, parts: ThisApp) -> Response:
    """Change an account.

    From `restricted` on it sends nothing, and its live codes can still be checked. `closed` is for good, and nothing
    works with its keys any more.
    """
    changed = await parts.accounts.change(account_id, body.to_changes(), actor=caller.actor)
    return answer(AccountOut.of(changed))
