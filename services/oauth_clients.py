"""Clients of the token endpoint: made, listed, ended. A secret is shown once, when its client is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.access import USUAL_SCOPES, Scope, scopes_as_text
from domain.audit import AuditEntry, JsonScalar
from domain.errors import InvalidRequestError, NotFoundError
from domain.facts import Caller
from domain.oauth import ClientFacts, TokenFormat
from domain.statuses import Environment
from rules.access import ensure_may_give
from security.client_credentials import make_secret, new_client_id
from security.client_keys import ClientKeyError, accepted_keys, stored_keys
from security.keyring import KeyRing
from services.allowlists import ensure_networks
from services.handing_on import Terms, bounded, caller_bounds
from store import access_version
from store.audit import record
from store.engine import Database
from store.oauth_clients import NewClient, clients_of, insert_client, revoke_client
from store.oauth_tokens import delete_tokens_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest(Terms):
    """What a client is to be. With public keys (a JWKS) it signs assertions; without it gets a secret."""

    environment: Environment
    name: str = ""
    scopes: frozenset[Scope] = USUAL_SCOPES
    token_format: TokenFormat = TokenFormat.OPAQUE
    jwks: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client just made, with its secret, which is shown this once; None where it has keys of its own."""

    facts: ClientFacts
    secret: str | None = field(repr=False)


class OAuthClients:
    """Makes and ends clients. What is changed takes effect within a second on every process.

    `changed` is called after each end, so that here it does at once; `actor` is who the trail says it was.
    """

    def __init__(self, *, database: Database, keys: KeyRing, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._keys = keys
        self._changed = changed

    async def make(self, account_id: UUID, request: ClientRequest, *, actor: str) -> MadeClient:
        """Make a client of an account that exists.

        Raises:
            InvalidRequestError: the allowlist or the key set is not one.

        """
        ensure_networks(request.allowlist or ())
        client_id, public = new_client_id(), _keys_of(request)
        secret = make_secret(self._keys.api_keys, client_id) if public is None else None
        new = NewClient(
            client_id=client_id,
            account_id=account_id,
            environment=request.environment,
            name=request.name,
            scopes=request.scopes,
            allowlist=request.allowlist or (),
            token_format=request.token_format,
            digest=None if secret is None else secret.digest,
            keys=public,
            expires_in_s=request.expires_in_s,
            ends_at=request.ends_at,
            made_by=actor,
        )
        async with self._database.transaction() as connection:
            facts = await insert_client(connection, new)
            await record(connection, client_entry("client.created", facts, actor, _told(facts)))
        return MadeClient(facts, None if secret is None else secret.text)

    async def make_for(self, caller: Caller, request: ClientRequest) -> MadeClient:
        """Make a client of the caller's account and environment.

        Raises:
            InsufficientScopeError: the caller does not itself have what the client is to have.
            InvalidRequestError: the allowlist or the key set is not one, or the client would go beyond a machine that
                makes it.

        """
        ensure_may_give(caller, request.scopes)
        ensure_networks(request.allowlist or ())
        async with self._database.reading() as connection:
            request = bounded(request, await caller_bounds(connection, caller))
        return await self.make(caller.account_id, request, actor=caller.actor)

    async def list(self, *, account_id: UUID, environment: Environment) -> list[ClientFacts]:
        """Return an account's clients in one environment, newest first, the ended ones too."""
        async with self._database.reading() as connection:
            return await clients_of(connection, account_id=account_id, environment=environment)

    async def revoke(self, client_id: str, *, account_id: UUID, environment: Environment, actor: str) -> ClientFacts:
        """End a client now, and every token that it was given.

        Raises:
            NotFoundError: the account has no live client with this id in this environment.

        """
        async with self._database.transaction() as connection:
            ended = await revoke_client(connection, client_id, account_id=account_id, environment=environment)
            if ended is None:
                raise NotFoundError("This account has no live client with this id in this environment.")
            tokens = await delete_tokens_of(connection, client_id)
            await access_version.bump(connection)
            await record(connection, client_entry("client.revoked", ended, actor, {"tokens": tokens}))
        self._changed()
        return ended


def client_entry(action: str, facts: ClientFacts, actor: str, details: Mapping[str, JsonScalar]) -> AuditEntry:
    """Return what the trail says that happened to a client."""
    return AuditEntry(
        account_id=facts.account_id,
        environment=facts.environment,
        actor=actor,
        action=action,
        subject=facts.client_id,
        details=details,
    )


def _keys_of(request: ClientRequest) -> str | None:
    if request.jwks is None:
        return None
    try:
        return stored_keys(accepted_keys(request.jwks))
    except ClientKeyError as error:
        raise InvalidRequestError(f"jwks: {error}.") from None


def _told(facts: ClientFacts) -> dict[str, JsonScalar]:
    """Return what the trail says of a client: what it can do, how it proves itself; not its name, a free word."""
    return {
        "scopes": scopes_as_text(facts.scopes),
        "networks": len(facts.allowlist),
        "expires_at": None if facts.expires_at is None else facts.expires_at.isoformat(timespec="seconds"),
        "proof": "secret" if facts.keys is None else "keys",
        "tokens": facts.token_format.value,
    }
