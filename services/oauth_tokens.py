"""Access tokens: issued to clients, ended by them, and shown to those of the same account."""

from collections.abc import Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope, scopes_as_text
from domain.audit import AuditEntry, JsonScalar
from domain.ids import new_id
from domain.oauth import TOKEN_LIFETIME_S, IssuedToken, KnownClient, TokenFacts, TokenFormat
from rules.oauth import AccessClaims, narrowed
from security.api_keys import digest_of
from security.client_credentials import is_opaque_token, make_token
from security.keyring import KeyRing
from security.token_signing import TokenSigner
from services.access_tokens import AccessTokens
from store import access_version
from store.audit import record
from store.engine import Database
from store.oauth_clients import note_use
from store.oauth_tokens import delete_token, deny, insert_token


class OAuthTokens:
    """Issues and ends tokens. `changed` is called after each end, so that here it takes effect at once."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        signer: TokenSigner,
        access: AccessTokens,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._signer = signer
        self._access = access
        self._changed = changed

    async def issue(self, client: KnownClient, *, scope: str | None) -> IssuedToken:
        """Give a client a token with the scopes that it asks for, or with all that it has.

        Raises:
            InvalidScopeError: it asks for one that is none, or that it does not have.

        """
        scopes = narrowed(scope, given=client.scopes)
        token_id = new_id()
        text = make_token(self._keys.api_keys)
        signed = None
        if client.token_format is TokenFormat.JWT:
            signed = await self._signer.sign(_claims(client, token_id.hex, scopes))
        async with self._database.transaction() as connection:
            if signed is None:
                await insert_token(
                    connection, digest=text.digest, token_id=token_id, client_id=client.client_id, scopes=scopes
                )
            await note_use(
                connection,
                client.client_id,
                account_id=client.account_id,
                environment=client.environment,
                at=client.seen_at,
            )
            told = {"token": token_id.hex, "scopes": scopes_as_text(scopes), "format": client.token_format.value}
            await record(connection, _entry("token.issued", client, told))
        return IssuedToken(text=signed or text.text, scopes=scopes)

    async def revoke(self, client: KnownClient, text: str) -> None:
        """End a token of a client; a text that is none of its own is let be, and nobody is told."""
        is_opaque = is_opaque_token(text)
        # Before the transaction, because its key may have to be loaded.
        claims = None if is_opaque else await self._signer.read(text)
        async with self._database.transaction() as connection:
            token = await (self._end(connection, client, text) if is_opaque else _deny(connection, client, claims))
            if token is None:
                return
            await access_version.bump(connection)
            await record(connection, _entry("token.revoked", client, {"token": token}))
        self._changed()

    async def show(self, client: KnownClient, text: str) -> TokenFacts | None:
        """Return a live token of the client's own account and environment; None for every other text."""
        found = await self._access.find(text)
        if found is None:
            return None
        caller = found.caller
        is_own = (caller.account_id, caller.environment) == (client.account_id, client.environment)
        return found.facts if is_own else None

    async def _end(self, connection: AsyncConnection, client: KnownClient, text: str) -> str | None:
        """End an opaque token in this transaction; return its id, or None where there was nothing to end."""
        digest = digest_of(self._keys.api_keys, text)
        ended = await delete_token(connection, digest, client_id=client.client_id)
        return None if ended is None else ended.hex


async def _deny(connection: AsyncConnection, client: KnownClient, claims: AccessClaims | None) -> str | None:
    """Have a signed token refused from this transaction on; return its id, or None where there was nothing to end."""
    if claims is None or claims.client_id != client.client_id or not claims.is_alive(client.seen_at):
        return None
    return claims.token_id.hex if await deny(connection, claims.token_id, until=claims.expires_at) else None


def _claims(client: KnownClient, jti: str, scopes: frozenset[Scope]) -> Mapping[str, str | int]:
    issued_at = int(client.seen_at.timestamp())
    return {
        "sub": client.client_id,
        "client_id": client.client_id,
        "iat": issued_at,
        "exp": issued_at + TOKEN_LIFETIME_S,
        "jti": jti,
        "scope": scopes_as_text(scopes),
    }


def _entry(action: str, client: KnownClient, details: Mapping[str, JsonScalar]) -> AuditEntry:
    return AuditEntry(
        account_id=client.account_id,
        environment=client.environment,
        actor=client.actor,
        action=action,
        subject=client.client_id,
        details=details,
    )
