"""The tables of OAuth2: columns and constraints only. No secret and no token stands here but as a keyed hash."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from store.times import UtcDateTime


class OAuthClient(SQLModel, table=True):
    """A client of the token endpoint: an account's, in one environment.

    It has either the digest of a secret, or public keys as JSON. `last_used_at` is the hour of its last token;
    `made_by` the actor who made it, or whoever made the machine that did (`store/makers.py`).
    """

    __tablename__ = "oauth_client"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'production')", name="oauth_client_environment"),
        CheckConstraint("token_format IN ('opaque', 'jwt')", name="oauth_client_token_format"),
        CheckConstraint("(digest IS NULL) <> (keys IS NULL)", name="oauth_client_proof"),
    )

    client_id: str = Field(primary_key=True, max_length=8)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    environment: str = Field(max_length=16)
    name: str = Field(max_length=64)
    digest: str | None = Field(default=None, max_length=64)
    keys: str | None = Field(default=None)
    scopes: str = Field(max_length=400)
    allowlist: str | None = Field(default=None, max_length=2400)
    token_format: str = Field(max_length=8)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    made_by: str | None = Field(default=None, max_length=80)


class OAuthToken(SQLModel, table=True):
    """An opaque access token, until its end; one that is revoked is deleted."""

    __tablename__ = "oauth_token"

    digest: str = Field(primary_key=True, max_length=64)
    id: UUID
    client_id: str = Field(max_length=8, foreign_key="oauth_client.client_id", index=True)
    scopes: str = Field(max_length=400)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class RevokedToken(SQLModel, table=True):
    """A signed access token that was revoked, until it would have ended by itself."""

    __tablename__ = "revoked_token"

    id: UUID = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class UsedAssertion(SQLModel, table=True):
    """An assertion of a client that was taken, until its end: its `jti` as a hash, because a client writes anything."""

    __tablename__ = "used_assertion"

    client_id: str = Field(primary_key=True, max_length=8)
    jti_hash: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
