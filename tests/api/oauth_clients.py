"""Clients of the token endpoint for tests: made through the API, with keys of each kind, and what they sign."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from domain.ids import new_id
from domain.statuses import Environment
from services.oauth_clients import ClientRequest, OAuthClients
from tests.api.serving import Api
from tests.building import KEYS

ISSUER = "https://verify.example.com"
TOKEN_ENDPOINT = f"{ISSUER}/oauth2/token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PrivateKey = ECKey | OKPKey | RSAKey


def a_pair(algorithm: str = "ES256") -> PrivateKey:
    """Return a fresh key pair for an algorithm."""
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256")
        case "Ed25519":
            return OKPKey.generate_key("Ed25519")
        case _:
            return RSAKey.generate_key(2048)


def jwks_of(*pairs: PrivateKey) -> dict[str, Any]:
    """Return the public halves, each named by its thumbprint."""
    return {"keys": [{**pair.as_dict(private=False), "kid": pair.thumbprint()} for pair in pairs]}


async def a_client(api: Api, **body: Any) -> dict[str, Any]:
    """Return a fresh client of an account, as its creation answered."""
    made = await api.client.post("/v1/clients", json=body)
    assert made.status_code == 201, made.text
    told: dict[str, Any] = made.json()
    return told


async def a_live_client(api: Api) -> dict[str, Any]:
    """Return a fresh client of the account in production, where a key would need an operator's approval to make it."""
    clients = OAuthClients(database=api.database, keys=KEYS)
    request = ClientRequest(environment=Environment.PRODUCTION)
    made = await clients.make(api.caller.account_id, request, actor="system")
    return {"id": made.facts.client_id, "secret": made.secret}


def claims_of(client_id: str, **changes: Any) -> dict[str, Any]:
    """Return what a good assertion says, but for what is changed; None leaves a claim out."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": TOKEN_ENDPOINT, "iat": now, "exp": now + 60}
    claims |= {"jti": new_id().hex} | changes
    return {name: value for name, value in claims.items() if value is not None}


def signed(
    pair: PrivateKey, claims: Mapping[str, Any], *, alg: str = "ES256", header: Mapping[str, Any] | None = None
) -> str:
    """Return an assertion; it names its key by the thumbprint unless the header says otherwise."""
    said = {"alg": alg, "kid": pair.thumbprint(), **(header or {})}
    return jwt.encode(said, dict(claims), pair, algorithms=[alg])


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """Return what looks like a signed text, with whatever signature."""
    parts = [json.dumps(dict(each)).encode() for each in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (*parts, signature))


async def ask(
    client: httpx2.AsyncClient, *, path: str = "/oauth2/token", basic: tuple[str, str] | None = None, **form: str
) -> httpx2.Response:
    """Ask the token endpoint, as a form; `basic` stands in the header as it is, encoded as base64 and no further."""
    headers = {}
    if basic is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}"
    return await client.post(path, data=form, headers=headers)


async def a_token(api: Api, made: Mapping[str, Any], **form: str) -> str:
    """Return an access token of a client that has a secret."""
    given = await ask(api.client, basic=(made["id"], made["secret"]), grant_type="client_credentials", **form)
    assert given.status_code == 200, given.text
    return str(given.json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    """Return the header that a token is sent in."""
    return {"Authorization": f"Bearer {token}"}
