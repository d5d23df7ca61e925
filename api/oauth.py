"""OAuth2 (RFC 6749): access tokens for clients' own credentials, their end, what they are, and where to find it all.

These routes find out themselves who asks, because clients prove it in other ways than callers of `/v1` do.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.addresses import address_of_request
from api.callers import ThisApp
from api.oauth_forms import form_body, form_of, oauth_responses, proof_of, told
from api.parts import Parts
from api.problems import problems
from domain.access import EVERY_SCOPE, scopes_as_text
from domain.oauth import (
    ClientMethod,
    InvalidClientError,
    InvalidTokenRequestError,
    KnownClient,
    TokenFacts,
    UnsupportedGrantError,
)
from security.client_keys import EVERY_ALGORITHM
from services.oauth import TOKEN_PATH

router = APIRouter(tags=["oauth2"])
_GRANT = "client_credentials"
_REVOKE, _INTROSPECT, _KEYS = "/oauth2/revoke", "/oauth2/introspect", "/oauth2/jwks"
# There is nothing to authorise. The list is required, and an empty one is not allowed (RFC 8414, §2 and §3.2).
_NO_RESPONSE_TYPE = ["none"]
# Both change with a version or a rotation, and whoever meets a key that it does not know asks again.
_KEPT_A_WHILE = {"Cache-Control": "public, max-age=300"}


@router.post(
    TOKEN_PATH,
    responses=oauth_responses(),
    openapi_extra=form_body("grant_type", scope="Scopes with spaces between them; left out, all that the client has."),
)
async def issue_token(request: Request, parts: ThisApp) -> JSONResponse:
    """Get an access token: `grant_type=client_credentials`."""
    form = await form_of(request)
    client = await _client_of(request, form, parts)
    match form.get("grant_type"):
        case None:
            raise InvalidTokenRequestError(f"grant_type is missing; it is {_GRANT}.")
        case "client_credentials":
            issued = await parts.oauth.tokens.issue(client, scope=form.get("scope"))
        case _:
            raise UnsupportedGrantError(f"grant_type is {_GRANT}; there is no other.")
    return told(
        {
            "access_token": issued.text,
            "token_type": "Bearer",
            "expires_in": issued.lifetime_s,
            "scope": scopes_as_text(issued.scopes),
        }
    )


@router.post(_REVOKE, responses=oauth_responses(), openapi_extra=form_body("token", token_type_hint="Not needed."))  # noqa: S106 - a description
async def revoke_token(request: Request, parts: ThisApp) -> JSONResponse:
    """End an access token of one's own (RFC 7009). The answer is the same for a text that is none."""
    form = await form_of(request)
    client = await _client_of(request, form, parts)
    await parts.oauth.tokens.revoke(client, _token_in(form))
    return told({})


@router.post(_INTROSPECT, responses=oauth_responses(), openapi_extra=form_body("token", token_type_hint="Not needed."))  # noqa: S106 - a description
async def introspect_token(request: Request, parts: ThisApp) -> JSONResponse:
    """Look at an access token of one's own account and environment (RFC 7662); any other text is not active."""
    form = await form_of(request)
    client = await _client_of(request, form, parts)
    facts = await parts.oauth.tokens.show(client, _token_in(form))
    return told({"active": False} if facts is None else _shown(facts, issuer=parts.oauth.issuer))


@router.get("/.well-known/oauth-authorization-server", responses=problems())
async def oauth_metadata(parts: ThisApp) -> JSONResponse:
    """Read where everything of OAuth2 is here, and what is supported (RFC 8414)."""
    issuer = parts.oauth.issuer
    methods = [method.value for method in ClientMethod]
    endpoints = {"token": TOKEN_PATH, "revocation": _REVOKE, "introspection": _INTROSPECT}
    document: dict[str, object] = {
        "issuer": issuer,
        "jwks_uri": issuer + _KEYS,
        "grant_types_supported": [_GRANT],
        "response_types_supported": _NO_RESPONSE_TYPE,
        "scopes_supported": sorted(EVERY_SCOPE),
        "service_documentation": f"{issuer}/reference",
    }
    for name, path in endpoints.items():
        document[f"{name}_endpoint"] = issuer + path
        document[f"{name}_endpoint_auth_methods_supported"] = methods
        document[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(EVERY_ALGORITHM)
    return JSONResponse(document, headers=_KEPT_A_WHILE)


@router.get(_KEYS, responses=problems())
async def oauth_keys(parts: ThisApp) -> JSONResponse:
    """Read the public keys that signed access tokens are verified with (a JWKS, RFC 7517)."""
    return JSONResponse({"keys": await parts.oauth.signer.public_keys()}, headers=_KEPT_A_WHILE)


async def _client_of(request: Request, form: dict[str, str], parts: Parts) -> KnownClient:
    """Return which client asks, having counted the request, or the failure against the address that it came from."""
    address = address_of_request(request, proxies=parts.proxies)
    try:
        client = await parts.oauth.authentication.who_asks(proof_of(request, form), address=address)
    except InvalidClientError:
        await parts.rates.count_failure(None if address is None else str(address))
        raise
    await parts.rates.admit_client(client.client_id)
    return client


def _token_in(form: dict[str, str]) -> str:
    if "token" not in form:
        raise InvalidTokenRequestError("token is missing.")
    return form["token"]


def _shown(facts: TokenFacts, *, issuer: str) -> dict[str, object]:
    return {
        "active": True,
        "scope": scopes_as_text(facts.scopes),
        "client_id": facts.client_id,
        "sub": facts.client_id,
        "token_type": "Bearer",
        "iat": int(facts.issued_at.timestamp()),
        "exp": int(facts.expires_at.timestamp()),
        "jti": facts.token_id.hex,
        "iss": issuer,
        "aud": issuer,
    }
