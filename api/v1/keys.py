"""`/v1/keys`: an account's API keys in one environment. A key's text is shown once, when it is made."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field, Strict, StringConstraints

from api.addresses import address_of_request
from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.access import USUAL_SCOPES, Scope
from domain.accounts import ApiKeyFacts
from domain.errors import InvalidRequestError
from domain.statuses import Environment
from security.api_keys import KEY_PATTERN
from services.allowlists import MAX_NETWORKS
from services.api_keys import (
    DEFAULT_OVERLAP_S,
    MAX_DAYS,
    MAX_OVERLAP_S,
    KeyRequest,
    MadeKey,
)
from services.handing_on import DEFAULT_DAYS

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=StrictRoute)
_Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^\P{C}*$")]
_Network = Annotated[str, StringConstraints(min_length=2, max_length=49, pattern=r"^[0-9A-Fa-f:./]+$")]
_Allowlist = Annotated[list[_Network], Field(max_length=MAX_NETWORKS)]
KeyId = Annotated[str, Path(description="The eight characters after `cs_test_` or `cs_live_`.", max_length=64)]


class NewKeyIn(StrictBody):
    """A key of the same account and environment as the one that asks."""

    name: _Name = Field(default="", description="What it is for; shown in lists.")
    scopes: list[Scope] | None = Field(
        default=None,
        min_length=1,
        max_length=len(Scope),
        description="What it may do, none of it beyond the key that asks. Left out: all that one has, but not `admin`.",
    )
    allowlist: _Allowlist | None = Field(
        default=None,
        description="Addresses and networks it may be used from, inside those of the key that asks; empty is any. "
        "Left out: those of that key.",
    )
    expires_in_days: Annotated[int, Strict()] | None = Field(
        default=None,
        ge=1,
        le=MAX_DAYS,
        description=f"Left out: {DEFAULT_DAYS}, or until the key that asks ends where that is sooner.",
    )

    def to_request(self, *, environment: Environment, usual: frozenset[Scope]) -> KeyRequest:
        """Return what the use case takes."""
        return KeyRequest(
            environment=environment,
            name=self.name,
            scopes=usual if self.scopes is None else frozenset(self.scopes),
            allowlist=None if self.allowlist is None else tuple(self.allowlist),
            days=self.expires_in_days or DEFAULT_DAYS,
            may_end_sooner=self.expires_in_days is None,
        )


class KeyChangesIn(StrictBody):
    """What is to be another; what is left out stays, and an empty allowlist lets every address in."""

    name: _Name | None = None
    allowlist: _Allowlist | None = None
    allow_lockout: Annotated[bool, Strict()] = Field(
        default=False, description="Take an allowlist with which the key could not be used from here any more."
    )


class RotationIn(StrictBody):
    """How long both keys work."""

    overlap_s: Annotated[int, Strict()] = Field(default=DEFAULT_OVERLAP_S, ge=0, le=MAX_OVERLAP_S)


class LeakIn(StrictBody):
    """The text that was found."""

    key: str = Field(min_length=1, max_length=2_048)


class KeyOut(BaseModel):
    """A key, without its text. `last_used_at` is the hour."""

    id: str = Field(examples=["4fGh81Kz"])
    name: str
    environment: Environment
    scopes: list[Scope]
    allowlist: list[str]
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def fields_of(cls, facts: ApiKeyFacts) -> dict[str, Any]:
        """Return the fields that tell of a key."""
        return {
            "id": facts.key_id,
            "name": facts.name,
            "environment": facts.environment,
            "scopes": sorted(facts.scopes),
            "allowlist": list(facts.allowlist),
            "created_at": facts.created_at,
            "expires_at": facts.expires_at,
            "revoked_at": facts.revoked_at,
            "last_used_at": facts.last_used_at,
        }

    @classmethod
    def of(cls, facts: ApiKeyFacts) -> Self:
        """Return the model of a key."""
        return cls(**cls.fields_of(facts))


class MadeKeyOut(KeyOut):
    """A key just made, with its text, this once."""

    key: str = Field(examples=["cs_test_…"], description="Shown this once. Keep it where secrets are kept.")

    @classmethod
    def made(cls, made: MadeKey) -> Self:
        """Return the model of a key just made."""
        return cls(key=made.text, **cls.fields_of(made.facts))


class KeysOut(BaseModel):
    """Keys, newest first, the ended ones too."""

    keys: list[KeyOut]


class PatternOut(BaseModel):
    """What a key, a client's secret and an access token look like, for scanners of secrets."""

    pattern: str = Field(examples=[KEY_PATTERN])


class ReceivedOut(BaseModel):
    """That a report arrived; the same whatever became of it."""

    received: bool = True


_SECRET = {"Cache-Control": "no-store"}


@router.post("", status_code=201, response_model=MadeKeyOut, responses=problems(400))
async def create_key(body: NewKeyIn, caller: Caller, parts: ThisApp) -> Response:
    """Make a key. Its text is in this answer and nowhere else."""
    usual = caller.scopes & USUAL_SCOPES if caller.role is None else USUAL_SCOPES
    request = body.to_request(environment=caller.environment, usual=usual)
    return answer(MadeKeyOut.made(await parts.api_keys.make_for(caller, request)), status=201, headers=_SECRET)


@router.get("", response_model=KeysOut, responses=problems())
async def list_keys(caller: Caller, parts: ThisApp) -> Response:
    """List this account's keys in this environment, newest first."""
    found = await parts.api_keys.list(account_id=caller.account_id, environment=caller.environment)
    return answer(KeysOut(keys=[KeyOut.of(each) for each in found]))


@router.get("/pattern", response_model=PatternOut, responses=problems())
async def read_key_pattern() -> Response:
    """Read the regular expression that finds keys of this product, for scanners of secrets."""
    return answer(PatternOut(pattern=KEY_PATTERN))


@router.post("/report-leak", response_model=ReceivedOut, responses=problems(400))
async def report_leaked_key(body: LeakIn, request: Request, parts: ThisApp) -> Response:
    """Report a key, a secret or a token that was found where it should not be. A genuine one ends; nothing tells.

    Anybody may: whoever has the text could do worse with it.
    """
    address = address_of_request(request, proxies=parts.proxies)
    await parts.rates.admit_leak_report(None if address is None else str(address))
    await parts.leaked_keys.report(body.key)
    return answer(ReceivedOut())


@router.patch("/{key_id}", response_model=KeyOut, responses=problems(400))
async def change_key(key_id: KeyId, body: KeyChangesIn, caller: Caller, parts: ThisApp) -> Response:
    """Change the name or allowlist of a key that can do no more than yours.

    An allowlist that would lock you out is refused unless you say `allow_lockout`.
    """
    if body.name is None and body.allowlist is None:
        raise InvalidRequestError("Send a name, or an allowlist.")
    after = await parts.api_keys.change(
        caller,
        key_id,
        name=body.name,
        allowlist=None if body.allowlist is None else tuple(body.allowlist),
        may_lock_out=body.allow_lockout,
    )
    return answer(KeyOut.of(after))


@router.post("/{key_id}/rotate", status_code=201, response_model=MadeKeyOut, responses=problems(400))
async def rotate_key(key_id: KeyId, caller: Caller, parts: ThisApp, body: RotationIn | None = None) -> Response:
    """Make a key that can do what this one can, and let this one end after the overlap, in which both work."""
    made = await parts.api_keys.rotate(caller, key_id, overlap_s=(body or RotationIn()).overlap_s)
    return answer(MadeKeyOut.made(made), status=201, headers=_SECRET)


@router.post("/{key_id}/revoke", response_model=KeyOut, responses=problems())
async def revoke_key(key_id: KeyId, caller: Caller, parts: ThisApp) -> Response:
    """End a key now. It stops working within a second on every process."""
    ended = await parts.api_keys.revoke(
        key_id, account_id=caller.account_id, environment=caller.environment, actor=caller.actor
    )
    return answer(KeyOut.of(ended))
