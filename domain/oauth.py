"""OAuth 2.0 as the token endpoint speaks it: clients, tokens, and refusals of a form of their own (RFC 6749, §5.2).

OAuthError
├── InvalidTokenRequestError       400  invalid_request
├── UnsupportedGrantError          400  unsupported_grant_type
├── InvalidScopeError              400  invalid_scope
└── InvalidClientError             401  invalid_client
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from domain.access import Scope
from domain.statuses import Environment

# How long an access token lives (`security.md` §5), and how far an assertion's end may lie ahead.
TOKEN_LIFETIME_S = 900
ASSERTION_LIFETIME_S = 300
# What the clocks of two machines may differ by.
SKEW_S = 30
# How often a client may ask the token endpoint, or end or look at tokens, a second.
TOKEN_REQUESTS_PER_S = 5


class TokenFormat(StrEnum):
    """What a client's access tokens are: a random text that only we understand, or a signed one (RFC 9068)."""

    OPAQUE = "opaque"
    JWT = "jwt"


class ClientMethod(StrEnum):
    """How a client proves who it is (the names of the IANA registry)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """A client, as stored, without what its secret is compared with; `keys` are None where it has a secret."""

    client_id: str
    account_id: UUID
    environment: Environment
    name: str
    scopes: frozenset[Scope]
    allowlist: tuple[str, ...]
    token_format: TokenFormat
    keys: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """A client that has just proved who it is; `seen_at` is the database's time of then."""

    client_id: str
    account_id: UUID
    environment: Environment
    scopes: frozenset[Scope]
    token_format: TokenFormat
    seen_at: datetime

    @property
    def actor(self) -> str:
        """Return who it is in the audit trail."""
        return f"client:{self.client_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """An access token just made: its text, shown this once, and what it may do."""

    text: str = field(repr=False)
    scopes: frozenset[Scope]
    lifetime_s: int = TOKEN_LIFETIME_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """A live access token, as its own account may see it."""

    token_id: UUID
    client_id: str
    scopes: frozenset[Scope]
    issued_at: datetime
    expires_at: datetime


class OAuthError(Exception):
    """A refusal of the token endpoint. `description` is for the client's developer, in the ASCII that §5.2 allows."""

    error: ClassVar[str] = "invalid_request"
    status: ClassVar[int] = 400

    def __init__(self, description: str) -> None:
        """Keep the sentence."""
        super().__init__(description)
        self.description = description


class InvalidTokenRequestError(OAuthError):
    """A parameter is missing, there twice, or malformed; or the client proves who it is in two ways at once."""

    error, status = "invalid_request", 400


class UnsupportedGrantError(OAuthError):
    """A grant other than the client's own credentials was asked for."""

    error, status = "unsupported_grant_type", 400


class InvalidScopeError(OAuthError):
    """A scope that is none, or that the client does not have."""

    error, status = "invalid_scope", 400


class InvalidClientError(OAuthError):
    """The client is not known, or did not prove that it is the one."""

    error, status = "invalid_client", 401
