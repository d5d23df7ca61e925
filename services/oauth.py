"""OAuth2 as one part of the application: its clients, who of them asks, their tokens, and what is told of it all."""

from collections.abc import Callable
from dataclasses import dataclass

from security.keyring import KeyRing
from security.token_signing import TokenSigner
from services.access_tokens import AccessTokens
from services.client_authentication import ClientAuthentication
from services.oauth_clients import OAuthClients
from services.oauth_tokens import OAuthTokens
from services.refusals import Refusals
from store.engine import Database

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """The use cases of OAuth2, and the issuer's own URL."""

    clients: OAuthClients
    authentication: ClientAuthentication
    tokens: OAuthTokens
    access: AccessTokens
    signer: TokenSigner

    @property
    def issuer(self) -> str:
        """Return the URL that names this instance, without a slash at its end."""
        return self.signer.issuer


def oauth_of(
    *, database: Database, keys: KeyRing, issuer: str, refusals: Refusals, changed: Callable[[], None]
) -> OAuth:
    """Return the use cases of OAuth2, wired."""
    signer = TokenSigner(keys.tokens, issuer=issuer)
    access = AccessTokens(database=database, keys=keys, signer=signer)
    audiences = frozenset({issuer, f"{issuer}{TOKEN_PATH}"})
    return OAuth(
        clients=OAuthClients(database=database, keys=keys, changed=changed),
        authentication=ClientAuthentication(database=database, keys=keys, refusals=refusals, audiences=audiences),
        tokens=OAuthTokens(database=database, keys=keys, signer=signer, access=access, changed=changed),
        access=access,
        signer=signer,
    )
