"""What must be said inside a signed assertion or token: pure, over claims whose signature was verified before.

A library checks a signature and not what was signed: each claim is looked at here, and one that is missing refuses.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.access import Scope, scopes_of
from domain.oauth import ASSERTION_LIFETIME_S, SKEW_S, InvalidScopeError

# A JWT for something else must not pass as proof of a client (RFC 8725, §3.11). Many libraries write none, or JWT.
ASSERTION_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
_MOST_JTI = 128
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class ClaimsError(ValueError):
    """A claim is missing, or not what it must be; the sentence says which. What it says is never repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a client asserted: once, under this name, until then."""

    jti: str
    expires_at: datetime


def ensure_assertion(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    *,
    client_id: str,
    audiences: Collection[str],
    now: datetime,
) -> Assertion:
    """Return what a client asserted about itself (RFC 7523, §3).

    The audience is one, and ours: an assertion that is for another server too could have come from there.

    Raises:
        ClaimsError: something about it is not as it must be.

    """
    if type_of(header) not in ASSERTION_TYPES:
        raise ClaimsError("typ is of another kind of JWT")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise ClaimsError("iss and sub are both the client_id")
    if _only(claims.get("aud")) not in audiences:
        raise ClaimsError("aud is the issuer or the token endpoint of this server, and nothing else")
    expires_at = _ensure_times(claims, now=now)
    if (expires_at - now).total_seconds() > ASSERTION_LIFETIME_S + SKEW_S:
        raise ClaimsError(f"exp lies at most {ASSERTION_LIFETIME_S} seconds ahead")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MOST_JTI:
        raise ClaimsError(f"jti is a text of 1 to {_MOST_JTI} characters")
    return Assertion(jti=jti, expires_at=expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What one of our own signed access tokens says."""

    token_id: UUID
    client_id: str
    scopes: frozenset[Scope]
    begins_at: datetime
    issued_at: datetime
    expires_at: datetime

    def is_alive(self, now: datetime) -> bool:
        """Say whether it has begun, as far as two clocks agree, and has not ended."""
        return self.expires_at > now and (self.begins_at - now).total_seconds() <= SKEW_S


def read_access_claims(header: Mapping[str, Any], claims: Mapping[str, Any], *, issuer: str) -> AccessClaims:
    """Return what an access token says (RFC 9068, §4), whatever the time is; `is_alive` looks at that.

    Raises:
        ClaimsError: something is missing, or it is a token for something else.

    """
    if type_of(header) != ACCESS_TOKEN_TYPE:
        raise ClaimsError("typ is not at+jwt")
    if claims.get("iss") != issuer or _only(claims.get("aud")) != issuer:
        raise ClaimsError("iss and aud are not this server")
    jti, client_id, scope = claims.get("jti"), claims.get("client_id"), claims.get("scope")
    if not isinstance(jti, str) or not isinstance(client_id, str) or not isinstance(scope, str):
        raise ClaimsError("jti, client_id and scope are texts")
    if claims.get("sub") != client_id:
        raise ClaimsError("sub is not the client")
    return AccessClaims(
        token_id=_id_of(jti),
        client_id=client_id,
        scopes=scopes_of(scope),
        begins_at=max(_moment(claims, name) for name in ("iat", "nbf") if name in claims or name == "iat"),
        issued_at=_moment(claims, "iat"),
        expires_at=_moment(claims, "exp"),
    )


def narrowed(asked: str | None, *, given: frozenset[Scope]) -> frozenset[Scope]:
    """Return the scopes that a token gets: those asked for, or all that the client has where it names none.

    Raises:
        InvalidScopeError: one of them is no scope, or not one of the client's.

    """
    words = (asked or "").split(" ") if asked else []
    known = {scope.value: scope for scope in given}
    if any(word not in known for word in words):
        raise InvalidScopeError("scope names, with single spaces between them, scopes that this client has.")
    return frozenset(known[word] for word in words) or given


def type_of(header: Mapping[str, Any]) -> str:
    """Return the type that a JWT's header says, in small letters, without `application/`; empty where it has none."""
    said = header.get("typ", "")
    return said.lower().removeprefix("application/") if isinstance(said, str) else "(not a text)"


def _id_of(jti: str) -> UUID:
    try:
        return UUID(hex=jti)
    except ValueError:
        raise ClaimsError("jti is none that we gave") from None


def _only(audience: Any) -> str | None:
    """Return the one audience, whether it stands alone or in a list of its own; None where there is not one."""
    one = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    return one if isinstance(one, str) else None


def _ensure_times(claims: Mapping[str, Any], *, now: datetime) -> datetime:
    expires_at = _moment(claims, "exp")
    if expires_at <= now:
        raise ClaimsError("exp is over")
    for name in ("nbf", "iat"):
        if name in claims and (_moment(claims, name) - now).total_seconds() > SKEW_S:
            raise ClaimsError(f"{name} lies ahead")
    return expires_at


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    # Compared as it is: an integer of any length can be, none but a short one becomes a float. No NaN is in the range.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST:
        raise ClaimsError(f"{name} is a number of seconds since 1970")
    return datetime.fromtimestamp(value, tz=UTC)
