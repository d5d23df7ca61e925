"""OAuth2 through Authlib's client, which knows nothing of us: each way of proving a client, tokens, what is told."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet

from domain.access import Scope
from domain.statuses import Environment
from tests.api.oauth_clients import (
    ISSUER,
    TOKEN_ENDPOINT,
    PrivateKey,
    a_client,
    a_live_client,
    a_pair,
    a_token,
    ask,
    bearer,
    jwks_of,
)
from tests.api.serving import Api, Server, calling, opened, running_api

GRANT = "client_credentials"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("oauth"), public_origin=ISSUER) as running:
        yield running


def session(made: dict[str, Any], method: str, *, pair: PrivateKey | None = None, alg: str = "") -> Any:
    """Return Authlib's client."""
    secret = made["secret"] if pair is None else pair
    client = OAuth2Session(made["id"], secret, token_endpoint_auth_method=method)
    client.trust_env = False
    if pair is not None:
        # Its own default is an hour, which is longer than is taken.
        claims = {"exp": int(time.time()) + 60}
        headers = {"kid": pair.thumbprint()}
        client.register_client_auth_method(PrivateKeyJWT(TOKEN_ENDPOINT, claims=claims, headers=headers, alg=alg))
    return client


def fetched(api: Api, client: Any, **more: str) -> dict[str, Any]:
    token: dict[str, Any] = client.fetch_token(f"{api.server.url}/oauth2/token", grant_type=GRANT, **more)
    return token


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_secret_gets_a_token_that_works_as_a_key_does(api: Api, method: str) -> None:
    made = await a_client(api, scopes=["verifications:read", "checks:write"])

    client = session(made, method)
    token = fetched(api, client)
    me = client.get(f"{api.server.url}/v1/me")

    assert (token["token_type"], token["expires_in"]) == ("Bearer", 900)
    assert token["access_token"].startswith("cs_at_")
    assert token["scope"] == "checks:write verifications:read"
    assert me.status_code == 200
    assert me.json()["key_id"] == made["id"]
    assert me.json()["scopes"] == ["checks:write", "verifications:read"]
    assert me.json()["environment"] == Environment.SANDBOX


@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "Ed25519"])
async def test_a_client_with_keys_gets_a_token_by_signing(api: Api, alg: str) -> None:
    pair = a_pair(alg)
    made = await a_client(api, jwks=jwks_of(a_pair(), pair))

    client = session(made, "private_key_jwt", pair=pair, alg=alg)
    token = fetched(api, client)

    assert made["secret"] is None
    assert made["methods"] == ["private_key_jwt"]
    assert client.get(f"{api.server.url}/v1/me").status_code == 200
    assert token["access_token"].startswith("cs_at_")


async def test_a_token_is_as_narrow_as_it_was_asked_for(api: Api) -> None:
    made = await a_client(api, scopes=["verifications:read", "checks:write", "keys"])

    client = session(made, "client_secret_basic")
    token = fetched(api, client, scope="keys")

    assert token["scope"] == "keys"
    assert client.get(f"{api.server.url}/v1/keys").status_code == 200
    refused = client.get(f"{api.server.url}/v1/verifications")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient-scope")
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


async def test_tokens_are_introspected_and_revoked_by_authlib_too(api: Api) -> None:
    made = await a_client(api, scopes=["keys"])
    client, base = session(made, "client_secret_basic"), api.server.url
    token = fetched(api, client)

    shown = client.introspect_token(f"{base}/oauth2/introspect", token=token["access_token"]).json()
    ended = client.revoke_token(f"{base}/oauth2/revoke", token=token["access_token"])
    after = client.introspect_token(f"{base}/oauth2/introspect", token=token["access_token"]).json()

    assert shown["active"] is True
    assert (shown["client_id"], shown["scope"], shown["token_type"]) == (made["id"], "keys", "Bearer")
    assert shown["exp"] - shown["iat"] == 900
    assert ended.status_code == 200
    assert after == {"active": False}
    assert (await api.client.get("/v1/me", headers=bearer(token["access_token"]))).status_code == 401


async def test_the_metadata_are_where_and_what_the_standard_says(api: Api) -> None:
    path = get_well_known_url(ISSUER)
    told: dict[str, Any] = (await api.client.get(path)).json()
    metadata = AuthorizationServerMetadata(told)

    metadata.validate()

    assert told["issuer"] == ISSUER
    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"):
        assert told[name].startswith(f"{ISSUER}/oauth2/")
    assert told["grant_types_supported"] == [GRANT]
    assert set(told["scopes_supported"]) == set(Scope)


async def test_a_signed_token_is_verified_by_the_published_keys_alone(api: Api) -> None:
    made = await a_client(api, scopes=["keys"], token_format="jwt")

    client = session(made, "client_secret_basic")
    token = fetched(api, client)
    keys = (await api.client.get("/oauth2/jwks")).json()
    read = jwt.decode(token["access_token"], KeySet.import_key_set(keys), algorithms=["ES256"])

    assert read.header["typ"] == "at+jwt"
    assert (read.claims["iss"], read.claims["aud"], read.claims["sub"]) == (ISSUER, ISSUER, made["id"])
    assert read.claims["exp"] - read.claims["iat"] == 900
    assert {"jti", "client_id", "scope"} <= set(read.claims)
    assert [each for each in keys["keys"] if "d" in each] == []
    assert client.get(f"{api.server.url}/v1/keys").status_code == 200


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_a_client_sees_and_ends_tokens_of_its_own_only(api: Api, token_format: str) -> None:
    mine, sibling = await a_client(api, token_format=token_format), await a_client(api)
    async with calling(api.server) as other:
        stranger = await a_client(other)
    across = await a_live_client(api)
    token = await a_token(api, mine)

    async def shown(to: dict[str, Any]) -> bool:
        answer = await ask(api.client, path="/oauth2/introspect", basic=(to["id"], to["secret"]), token=token)
        return bool(answer.json()["active"])

    ends = [
        await ask(api.client, path="/oauth2/revoke", basic=(each["id"], each["secret"]), token=token)
        for each in (sibling, stranger, across)
    ]

    assert [await shown(each) for each in (mine, sibling, stranger, across)] == [True, True, False, False]
    assert [each.status_code for each in ends] == [200, 200, 200]
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 200
    ended = await ask(api.client, path="/oauth2/revoke", basic=(mine["id"], mine["secret"]), token=token)
    assert ended.status_code == 200
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 401
    assert await shown(mine) is False


async def test_answers_that_hold_a_token_are_kept_by_nobody(api: Api) -> None:
    made = await a_client(api)

    given = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT)
    refused = await ask(api.client, basic=(made["id"], "wrong"), grant_type=GRANT)

    assert given.headers["cache-control"] == refused.headers["cache-control"] == "no-store"
    assert given.headers["pragma"] == "no-cache"
    assert given.headers["content-type"] == "application/json"


async def test_a_client_asks_five_times_a_second_and_no_more(api: Api) -> None:
    made, other = await a_client(api), await a_client(api)

    answers = [await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT) for _ in range(14)]
    refused = [each for each in answers if each.status_code == 429]

    assert len(answers) - len(refused) >= 10
    assert refused
    assert refused[0].json()["code"] == "rate-limited"
    assert int(refused[0].headers["retry-after"]) >= 1
    assert (await ask(api.client, basic=(other["id"], other["secret"]), grant_type=GRANT)).status_code == 200


async def test_a_token_in_the_query_or_in_a_body_is_not_seen(api: Api) -> None:
    token = await a_token(api, await a_client(api))

    async with opened(api.server) as stranger:
        answers = [
            await stranger.get("/v1/limits", params={"access_token": token}),
            await stranger.post("/v1/verifications", json={"to": "+447700900123", "access_token": token}),
        ]

    assert [each.status_code for each in answers] == [401, 401]


async def test_two_credentials_at_once_are_refused(api: Api) -> None:
    token = await a_token(api, await a_client(api))
    async with opened(api.server) as stranger:
        answer = await stranger.get(
            "/v1/limits", headers=[("Authorization", f"Bearer {api.key}"), ("Authorization", f"Bearer {token}")]
        )

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert answer.headers["www-authenticate"] == 'Bearer realm="countersign", error="invalid_request"'
