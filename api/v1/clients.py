"""`/v1/clients`: an account's OAuth2 clients in one environment. A secret is shown once, when its client is made."""

import json
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, Strict, StringConstraints

from api.bodies import StrictRoute
from api.callers import Caller, ThisApp
from api.problems import problems
from api.v1.answers import answer
from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.access import USUAL_SCOPES, Scope
from domain.oauth import ClientFacts, ClientMethod, TokenFormat
from domain.statuses import Environment
from security.client_keys import MOST_KEYS
from services.allowlists import MAX_NETWORKS
from services.api_keys import MAX_DAYS
from services.handing_on import DEFAULT_DAYS
from services.oauth_clients import ClientRequest, MadeClient

router = APIRouter(prefix="/v1/clients", tags=["clients"], route_class=StrictRoute)
_Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^\P{C}*$")]
_Network = Annotated[str, StringConstraints(min_length=2, max_length=49, pattern=r"^[0-9A-Fa-f:./]+$")]
ClientId = Annotated[str, Path(description="As the client's creation answered it.", max_length=64)]


class KeySetIn(BaseModel):
    """Public keys as RFC 7517 has them; what else stands in the set is not looked at."""

    keys: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_KEYS, description="P-256, Ed25519 or RSA.")


class NewClientIn(StrictBody):
    """A client of the same account and environment as the key that asks."""

    name: _Name = Field(default="", description="What it is for; shown in lists.")
    scopes: list[Scope] | None = Field(
        default=None,
        min_length=1,
        max_length=len(Scope),
        description="What its tokens may do at most. Left out: all that the key that asks has, but not `admin`.",
    )
    allowlist: Annotated[list[_Network], Field(max_length=MAX_NETWORKS)] | None = Field(
        default=None,
        description="Addresses and networks it, and its tokens, may be used from, inside those of the key that asks; "
        "empty is any. Left out: those of that key.",
    )
    expires_in_days: Annotated[int, Strict()] | None = Field(
        default=None,
        ge=1,
        le=MAX_DAYS,
        description=f"Left out: {DEFAULT_DAYS}, or until the key that asks ends where that is sooner.",
    )
    token_format: TokenFormat = Field(
        default=TokenFormat.OPAQUE, description="`jwt` where others are to verify its tokens too, by `/oauth2/jwks`."
    )
    jwks: KeySetIn | None = Field(
        default=None, description="Public keys of a client that signs assertions, and gets no secret."
    )

    def to_request(self, *, environment: Environment, usual: frozenset[Scope]) -> ClientRequest:
        """Return what the use case takes."""
        return ClientRequest(
            environment=environment,
            name=self.name,
            scopes=usual if self.scopes is None else frozenset(self.scopes),
            allowlist=None if self.allowlist is None else tuple(self.allowlist),
            token_format=self.token_format,
            jwks=None if self.jwks is None else {"keys": self.jwks.keys},
            days=self.expires_in_days or DEFAULT_DAYS,
            may_end_sooner=self.expires_in_days is None,
        )


class ClientOut(BaseModel):
    """A client, without its secret. `last_used_at` is the hour of its last token."""

    id: str = Field(examples=["4fGh81Kz"], description="The `client_id`.")
    name: str
    environment: Environment
    scopes: list[Scope]
    allowlist: list[str]
    token_format: TokenFormat
    methods: list[ClientMethod] = Field(description="How it proves who it is.")
    key_ids: list[str] = Field(description="The `kid` of each of its public keys.")
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def fields_of(cls, facts: ClientFacts) -> dict[str, Any]:
        """Return the fields that tell of a client."""
        by_secret = [ClientMethod.BASIC, ClientMethod.POST]
        return {
            "id": facts.client_id,
            "name": facts.name,
            "environment": facts.environment,
            "scopes": sorted(facts.scopes),
            "allowlist": list(facts.allowlist),
            "token_format": facts.token_format,
            "methods": by_secret if facts.keys is None else [ClientMethod.PRIVATE_KEY],
            "key_ids": [] if facts.keys is None else [each["kid"] for each in json.loads(facts.keys)],
            "created_at": facts.created_at,
            "expires_at": facts.expires_at,
            "revoked_at": facts.revoked_at,
            "last_used_at": facts.last_used_at,
        }

    @classmethod
    def of(cls, facts: ClientFacts) -> Self:
        """Return the model of a client."""
        return cls(**cls.fields_of(facts))


class MadeClientOut(ClientOut):
    """A client just made, with its secret, this once."""

    secret: str | None = Field(
        examples=["cs_secret_…"], description="Shown this once; null for a client with keys of its own."
    )

    @classmethod
    def made(cls, made: MadeClient) -> Self:
        """Return the model of a client just made."""
        return cls(secret=made.secret, **cls.fields_of(made.facts))


class ClientsOut(BaseModel):
    """Clients, newest first, the ended ones too."""

    clients: list[ClientOut]


@router.post("", status_code=201, response_model=MadeClientOut, responses=problems(400))
async def create_client(body: NewClientIn, caller: Caller, parts: ThisApp) -> Response:
    """Make a client of the token endpoint. Its secret is in this answer and nowhere else."""
    usual = caller.scopes & USUAL_SCOPES if caller.role is None else USUAL_SCOPES
    request = body.to_request(environment=caller.environment, usual=usual)
    made = await parts.oauth.clients.make_for(caller, request)
    return answer(MadeClientOut.made(made), status=201, headers={"Cache-Control": "no-store"})


@router.get("", response_model=ClientsOut, responses=problems())
async def list_clients(caller: Caller, parts: ThisApp) -> Response:
    """List this account's clients in this environment, newest first."""
    found = await parts.oauth.clients.list(account_id=caller.account_id, environment=caller.environment)
    return answer(ClientsOut(clients=[ClientOut.of(each) for each in found]))


@router.delete("/{client_id}", response_model=ClientOut, responses=problems())
async def delete_client(client_id: ClientId, caller: Caller, parts: ThisApp) -> Response:
    """End a client now, and every token it was given. They stop working within a second on every process."""
    ended = await parts.oauth.clients.revoke(
        client_id, account_id=caller.account_id, environment=caller.environment, actor=caller.actor
    )
    return answer(ClientOut.of(ended))
