"""Access tokens as credentials: whose a text is, and for how long; one look-up for each form, whoever presents it."""

from dataclasses import dataclass, replace

from domain.facts import Caller
from domain.oauth import TokenFacts
from domain.statuses import AccountStatus
from rules.oauth import AccessClaims
from security.api_keys import digest_of
from security.client_credentials import is_opaque_token
from security.keyring import KeyRing
from security.token_signing import TokenSigner
from store.engine import Database
from store.oauth_tokens import TokenHolder, find_signed, find_token


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundToken:
    """A live access token, who calls with it, from where they may, and how long it lives from now on."""

    facts: TokenFacts
    caller: Caller
    allowlist: tuple[str, ...]
    account_status: AccountStatus
    lives_s: float


class AccessTokens:
    """Finds out whose an access token is."""

    def __init__(self, *, database: Database, keys: KeyRing, signer: TokenSigner) -> None:
        self._database = database
        self._keys = keys
        self._signer = signer

    async def find(self, text: str) -> FoundToken | None:
        """Return what a text stands for; None where it is no token of ours, or none any more."""
        if is_opaque_token(text):
            return await self._find_opaque(text)
        claims = await self._signer.read(text)
        return None if claims is None else await self._find_signed(claims)

    async def _find_opaque(self, text: str) -> FoundToken | None:
        async with self._database.reading() as connection:
            stored = await find_token(connection, digest_of(self._keys.api_keys, text))
        if stored is None:
            return None
        facts = TokenFacts(
            token_id=stored.token_id,
            client_id=stored.holder.caller.key_id,
            scopes=stored.holder.caller.scopes,
            issued_at=stored.issued_at,
            expires_at=stored.expires_at,
        )
        return _found(facts, stored.holder)

    async def _find_signed(self, claims: AccessClaims) -> FoundToken | None:
        async with self._database.reading() as connection:
            holder = await find_signed(connection, claims.token_id, client_id=claims.client_id)
        if holder is None or not claims.is_alive(holder.read_at):
            return None
        facts = TokenFacts(
            token_id=claims.token_id,
            client_id=claims.client_id,
            scopes=claims.scopes & holder.caller.scopes,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
        )
        return _found(facts, holder)


def _found(facts: TokenFacts, holder: TokenHolder) -> FoundToken:
    ends_at = min(facts.expires_at, holder.client_expires_at or facts.expires_at)
    return FoundToken(
        facts=facts,
        caller=replace(holder.caller, scopes=facts.scopes),
        allowlist=holder.allowlist,
        account_status=holder.account_status,
        lives_s=(ends_at - holder.read_at).total_seconds(),
    )
