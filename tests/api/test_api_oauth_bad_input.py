"""The token endpoint, and tokens, against whatever is sent: the right status, the right challenge, nothing given."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from security.token_signing import pair_of
from tests.api.oauth_clients import (
    ISSUER,
    JWT_BEARER,
    TOKEN_ENDPOINT,
    PrivateKey,
    a_client,
    a_pair,
    a_token,
    ask,
    bearer,
    claims_of,
    jwks_of,
    signed,
    unsigned,
)
from tests.api.serving import Api, Server, opened, running_api
from tests.building import KEYS

GRANT = "client_credentials"
BASIC = 'Basic realm="countersign", charset="UTF-8"'
LONG = "x" * 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("oauth"), public_origin=ISSUER) as running:
        yield running


def refused(answer: httpx2.Response) -> tuple[int, str, str | None]:
    """Return how the token endpoint refused, having seen that the document is one of RFC 6749, §5.2."""
    told = answer.json()
    assert set(told) == {"error", "error_description"}
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in told["error_description"])
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, told["error"], answer.headers.get("www-authenticate")


INVALID = (400, "invalid_request", None)
UNKNOWN = (401, "invalid_client", BASIC)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", ""),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "form"),
        (b"grant_type=client_credentials&scope=keys&scope=keys", "form"),
        (b"grant_type=%ff", "form"),
        ("grant_type=é".encode(), "form"),
        (b"grant_type=\xff", "form"),
        (b"&".join(b"a%d=1" % each for each in range(60)), "form"),
        (b"", "form"),
        (b"scope=keys", "form"),
        (b"grant_type=", "form"),
    ],
)
async def test_what_is_no_form_or_says_no_grant_is_an_invalid_request(
    api: Api, content: bytes, media_type: str
) -> None:
    made = await a_client(api)
    pair = base64.b64encode(f"{made['id']}:{made['secret']}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    if media_type:
        headers["Content-Type"] = "application/x-www-form-urlencoded" if media_type == "form" else media_type

    assert refused(await api.client.post("/oauth2/token", content=content, headers=headers)) == INVALID


@pytest.mark.parametrize(
    "grant", ["password", "authorization_code", "refresh_token", "Client_Credentials", " client_credentials", LONG]
)
async def test_another_grant_is_not_supported(api: Api, grant: str) -> None:
    made = await a_client(api)

    answer = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=grant)

    assert refused(answer) == (400, "unsupported_grant_type", None)


@pytest.mark.parametrize("scope", ["keys", "nothing", "checks:write keys", "checks:write  checks:write", " ", LONG])
async def test_a_scope_that_the_client_does_not_have_is_invalid(api: Api, scope: str) -> None:
    made = await a_client(api, scopes=["checks:write"])

    answer = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT, scope=scope)

    assert refused(answer) == (400, "invalid_scope", None)


Headers = Callable[[str, str], list[tuple[str, str]]]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


BAD_HEADERS: dict[str, Headers] = {
    "nothing": lambda _, __: [],
    "a wrong secret": lambda who, _: [("Authorization", basic(f"{who}:wrong"))],
    "no secret": lambda who, _: [("Authorization", basic(who))],
    "an empty secret": lambda who, _: [("Authorization", basic(f"{who}:"))],
    "a secret of 40 KB": lambda who, _: [("Authorization", basic(f"{who}:{'x' * 10_000}"))],
    "another client": lambda _, secret: [("Authorization", basic(f"00000000:{secret}"))],
    "a long client": lambda _, secret: [("Authorization", basic(f"{'0' * 5_000}:{secret}"))],
    "no base64": lambda who, secret: [("Authorization", f"Basic {who}:{secret}")],
    "no UTF-8": lambda _, __: [("Authorization", "Basic /zr/")],
    "broken percent-encoding": lambda who, _: [("Authorization", basic(f"{who}:%ff%zz"))],
    "encoded twice": lambda who, secret: [("Authorization", basic(f"{who}:{quote(quote(secret, safe=''))}x"))],
    "a bearer": lambda _, secret: [("Authorization", f"Bearer {secret}")],
    "a digest": lambda _, secret: [("Authorization", f"Digest {secret}")],
}


@pytest.mark.parametrize("name", BAD_HEADERS)
async def test_a_header_that_proves_no_client_is_answered_with_a_challenge(api: Api, name: str) -> None:
    made = await a_client(api)

    async with opened(api.server) as stranger:
        answer = await stranger.post(
            "/oauth2/token", data={"grant_type": GRANT}, headers=BAD_HEADERS[name](made["id"], made["secret"])
        )

    assert refused(answer) == UNKNOWN


async def test_basic_is_percent_decoded_as_the_standard_says(api: Api) -> None:
    made = await a_client(api)
    everything = "".join(f"%{ord(letter):02X}" for letter in made["secret"])

    answer = await ask(api.client, basic=(made["id"], everything), grant_type=GRANT)

    assert answer.status_code == 200


@pytest.mark.parametrize("secret", ["wrong", "cs_secret_" + "0" * 46, LONG, "cs_at_" + "0" * 46, "é"])
async def test_a_wrong_secret_in_the_body_is_no_client(api: Api, secret: str) -> None:
    made = await a_client(api)

    async with opened(api.server) as stranger:
        answer = await ask(stranger, grant_type=GRANT, client_id=made["id"], client_secret=secret)

    assert refused(answer) == UNKNOWN


async def test_a_secret_in_the_query_is_not_seen(api: Api) -> None:
    made = await a_client(api)
    asked = {"client_id": made["id"], "client_secret": made["secret"]}

    async with opened(api.server) as stranger:
        answer = await stranger.post("/oauth2/token", params=asked, data={"grant_type": GRANT})

    assert refused(answer) == UNKNOWN


async def test_two_proofs_at_once_are_an_invalid_request(api: Api) -> None:
    pair = a_pair()
    made, keyed = await a_client(api), await a_client(api, jwks=jwks_of(pair))
    by_header, secret = (made["id"], made["secret"]), made["secret"]
    assertion: dict[str, Any] = {
        "client_assertion_type": JWT_BEARER,
        "client_assertion": signed(pair, claims_of(keyed["id"])),
    }
    header = ("Authorization", basic(f"{made['id']}:{secret}"))

    answers = [
        await ask(api.client, basic=by_header, grant_type=GRANT, client_id=made["id"], client_secret=secret),
        await ask(api.client, basic=by_header, grant_type=GRANT, **assertion),
        await ask(api.client, grant_type=GRANT, client_id=made["id"], client_secret=secret, **assertion),
        await ask(api.client, basic=by_header, grant_type=GRANT, client_id=keyed["id"]),
        await ask(api.client, grant_type=GRANT, client_assertion=assertion["client_assertion"]),
    ]
    async with opened(api.server) as stranger:
        answers += [await stranger.post("/oauth2/token", data={"grant_type": GRANT}, headers=[header, header])]

    assert {refused(each) for each in answers} == {INVALID}
    named_too = await ask(api.client, basic=by_header, grant_type=GRANT, client_id=made["id"])
    assert named_too.status_code == 200


async def test_a_client_proves_itself_in_the_way_that_it_was_made_for(api: Api) -> None:
    pair = a_pair()
    made, keyed = await a_client(api), await a_client(api, jwks=jwks_of(pair))

    answers = [
        await ask(api.client, basic=(keyed["id"], made["secret"]), grant_type=GRANT),
        await _asserted(api, signed(pair, claims_of(made["id"]))),
    ]

    assert [refused(each) for each in answers] == [UNKNOWN, UNKNOWN]


def _pem(pair: PrivateKey) -> bytes:
    return bytes(pair.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _by_hmac(secret: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    body = unsigned(header, claims).rpartition(".")[0]
    return (
        f"{body}.{base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), hashlib.sha256)).rstrip(b'=').decode()}"
    )


async def _asserted(api: Api, assertion: str, **form: Any) -> httpx2.Response:
    proof: dict[str, Any] = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    async with opened(api.server) as stranger:
        return await ask(stranger, grant_type=GRANT, **proof, **form)


Assertion = Callable[[PrivateKey, str], str]
_FAR = 10**12
BAD_ASSERTIONS: dict[str, Assertion] = {
    "not one": lambda _, __: "x",
    "two parts": lambda pair, who: signed(pair, claims_of(who)).rpartition(".")[0],
    "five parts": lambda pair, who: signed(pair, claims_of(who)) + ".a.b",
    "60 KB": lambda _, __: LONG,
    "60 KB of claims": lambda pair, who: signed(pair, claims_of(who, note="x" * 40_000)),
    "no ASCII": lambda _, __: "é.é.é",
    "none": lambda _, who: unsigned({"alg": "none"}, claims_of(who)),
    "None": lambda _, who: unsigned({"alg": "None", "kid": None}, claims_of(who)),
    "HS256 with the public key": lambda pair, who: _by_hmac(
        _pem(pair), {"alg": "HS256", "kid": pair.thumbprint()}, claims_of(who)
    ),
    "HS256 with the public key, no kid": lambda pair, who: _by_hmac(_pem(pair), {"alg": "HS256"}, claims_of(who)),
    "an algorithm of another curve": lambda pair, who: unsigned(
        {"alg": "ES384", "kid": pair.thumbprint()}, claims_of(who), b"x" * 96
    ),
    "the signature of nothing": lambda pair, who: unsigned(
        {"alg": "ES256", "kid": pair.thumbprint()}, claims_of(who), bytes(64)
    ),
    "no signature": lambda pair, who: unsigned({"alg": "ES256", "kid": pair.thumbprint()}, claims_of(who)),
    "another key": lambda pair, who: signed(a_pair(), claims_of(who), header={"kid": pair.thumbprint()}),
    "a key of its own in the header": lambda _, who: _with_own_key(who),
    "an unknown kid": lambda pair, who: signed(pair, claims_of(who), header={"kid": "unknown"}),
    "a critical header": lambda pair, who: unsigned(
        {"alg": "ES256", "kid": pair.thumbprint(), "crit": ["x"], "x": 1}, claims_of(who), bytes(64)
    ),
    "the typ of an access token": lambda pair, who: signed(pair, claims_of(who), header={"typ": "at+jwt"}),
    "the typ of a logout token": lambda pair, who: signed(pair, claims_of(who), header={"typ": "logout+jwt"}),
    "no exp": lambda pair, who: signed(pair, claims_of(who, exp=None)),
    "exp as a text": lambda pair, who: signed(pair, claims_of(who, exp=str(int(time.time()) + 60))),
    "exp true": lambda pair, who: signed(pair, claims_of(who, exp=True)),
    "exp not a number": lambda pair, who: signed(pair, claims_of(who, exp=float("nan"))),
    "exp infinite": lambda pair, who: signed(pair, claims_of(who, exp=float("inf"))),
    "exp in a far age": lambda pair, who: signed(pair, claims_of(who, exp=_FAR)),
    "exp in an hour": lambda pair, who: signed(pair, claims_of(who, exp=int(time.time()) + 3_600)),
    "expired": lambda pair, who: signed(pair, claims_of(who, exp=int(time.time()) - 1)),
    "before its time": lambda pair, who: signed(pair, claims_of(who, nbf=int(time.time()) + 120)),
    "issued in the future": lambda pair, who: signed(pair, claims_of(who, iat=int(time.time()) + 120)),
    "no jti": lambda pair, who: signed(pair, claims_of(who, jti=None)),
    "an empty jti": lambda pair, who: signed(pair, claims_of(who, jti="")),
    "a long jti": lambda pair, who: signed(pair, claims_of(who, jti="x" * 200)),
    "a jti that is no text": lambda pair, who: signed(pair, claims_of(who, jti=7)),
    "no aud": lambda pair, who: signed(pair, claims_of(who, aud=None)),
    "another aud": lambda pair, who: signed(pair, claims_of(who, aud="https://other.example.com/token")),
    "the aud of another path": lambda pair, who: signed(pair, claims_of(who, aud=f"{ISSUER}/oauth2/other")),
    "two aud": lambda pair, who: signed(pair, claims_of(who, aud=[ISSUER, "https://other.example.com"])),
    "no aud in a list": lambda pair, who: signed(pair, claims_of(who, aud=[])),
    "no iss": lambda pair, who: signed(pair, claims_of(who, iss=None)),
    "another iss": lambda pair, who: signed(pair, claims_of(who, iss="00000000")),
    "another sub": lambda pair, who: signed(pair, claims_of(who, sub="00000000")),
    "exp of 400 digits": lambda pair, who: signed(pair, claims_of(who, exp=10**400)),
    "iat of 400 digits": lambda pair, who: signed(pair, claims_of(who, iat=10**400)),
    "exp of 400 digits below zero": lambda pair, who: signed(pair, claims_of(who, exp=-(10**400))),
    "a claim twice": lambda pair, who: _as_written(
        pair, _header(pair), json.dumps(claims_of(who)).replace("{", '{"jti": "first", ', 1)
    ),
    "a name twice further in": lambda pair, who: _as_written(
        pair, _header(pair), json.dumps(claims_of(who)).replace("{", '{"note": {"a": 1, "a": 2}, ', 1)
    ),
    "a header twice": lambda pair, who: _as_written(
        pair, _header(pair).replace("{", '{"kid": "first", ', 1), json.dumps(claims_of(who))
    ),
    "a sub that is no text": lambda pair, who: signed(pair, claims_of(who, sub=[who])),
}


def _header(pair: PrivateKey) -> str:
    return json.dumps({"alg": "ES256", "kid": pair.thumbprint()})


def _as_written(pair: PrivateKey, header: str, claims: str) -> str:
    """Return an assertion of texts that no library would write, signed all the same."""
    body = ".".join(base64.urlsafe_b64encode(each.encode()).rstrip(b"=").decode() for each in (header, claims))
    signature = JWSRegistry(algorithms=["ES256"]).get_alg("ES256").sign(body.encode(), pair)
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_an_assertion_written_by_hand_proves_its_client_when_it_says_nothing_twice(api: Api) -> None:
    pair = a_pair()
    made = await a_client(api, jwks=jwks_of(pair))

    answer = await _asserted(api, _as_written(pair, _header(pair), json.dumps(claims_of(made["id"]))))

    assert answer.status_code == 200


def _with_own_key(who: str) -> str:
    pair = a_pair()
    return jwt.encode({"alg": "ES256", "jwk": pair.as_dict(private=False)}, claims_of(who), pair, algorithms=["ES256"])


@pytest.mark.parametrize("name", BAD_ASSERTIONS)
async def test_an_assertion_that_is_not_good_proves_nobody(api: Api, name: str) -> None:
    pair = a_pair()
    made = await a_client(api, jwks=jwks_of(pair))

    answer = await _asserted(api, BAD_ASSERTIONS[name](pair, made["id"]))

    assert refused(answer) == UNKNOWN


@pytest.mark.parametrize(
    "changes",
    [{}, {"aud": ISSUER}, {"aud": [TOKEN_ENDPOINT]}, {"aud": TOKEN_ENDPOINT, "iat": None}, {"nbf": 1}],
)
@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}])
async def test_an_assertion_that_is_good_proves_its_client(
    api: Api, changes: dict[str, Any], header: dict[str, str]
) -> None:
    pair = a_pair()
    made = await a_client(api, jwks=jwks_of(pair))

    answer = await _asserted(api, signed(pair, claims_of(made["id"], **changes), header=header))

    assert answer.status_code == 200


async def test_an_assertion_is_taken_once(api: Api) -> None:
    pair = a_pair()
    made = await a_client(api, jwks=jwks_of(pair))
    once, again = claims_of(made["id"], jti="mine"), claims_of(made["id"], jti="mine")
    assertion = signed(pair, once)

    answers = [await _asserted(api, each) for each in (assertion, assertion, signed(pair, again))]

    assert answers[0].status_code == 200
    assert [refused(each) for each in answers[1:]] == [UNKNOWN, UNKNOWN]
    other = await a_client(api, jwks=jwks_of(pair))
    assert (await _asserted(api, signed(pair, claims_of(other["id"], jti="mine")))).status_code == 200


async def test_an_assertion_of_another_client_than_the_one_named_is_refused(api: Api) -> None:
    pair = a_pair()
    one, other = await a_client(api, jwks=jwks_of(pair)), await a_client(api, jwks=jwks_of(pair))

    answer = await _asserted(api, signed(pair, claims_of(one["id"])), client_id=other["id"])

    assert refused(answer) == UNKNOWN


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/introspect"])
async def test_without_a_client_no_token_is_ended_or_shown(api: Api, path: str) -> None:
    token = await a_token(api, await a_client(api))
    made = await a_client(api)

    async with opened(api.server) as stranger:
        answers = [
            await ask(stranger, path=path, token=token),
            await ask(stranger, path=path, basic=("x", "y"), token=token),
        ]
        missing = await ask(stranger, path=path, basic=(made["id"], made["secret"]), token_type_hint="none")

    assert [refused(each) for each in answers] == [UNKNOWN, UNKNOWN]
    assert refused(missing) == INVALID
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("token", ["x", LONG, "cs_at_" + "0" * 46, "eyJhbGciOiJub25lIn0.e30.", "é"])
async def test_a_text_that_is_no_token_is_not_active_and_may_be_revoked(api: Api, token: str) -> None:
    made = await a_client(api)
    by = (made["id"], made["secret"])

    shown = await ask(api.client, path="/oauth2/introspect", basic=by, token=token, token_type_hint="refresh_token")
    ended = await ask(api.client, path="/oauth2/revoke", basic=by, token=token, token_type_hint="nonsense")

    assert (shown.status_code, shown.json()) == (200, {"active": False})
    assert ended.status_code == 200


async def test_a_body_over_the_limit_is_refused_as_everywhere(api: Api) -> None:
    answer = await ask(api.client, grant_type=GRANT, client_secret="x" * 100_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def _signed_token(api: Api, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return a token signed with our own newest key that says what is changed."""
    made = await a_client(api, token_format="jwt", scopes=["keys"])
    key = await KEYS.tokens.newest()
    pair = pair_of(key.secret)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": made["id"], "client_id": made["id"], "iat": now, "exp": now + 900}
    claims |= {"jti": "0" * 32, "scope": "keys"} | changes
    said = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **(header or {})}
    told = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({name: value for name, value in said.items() if value}, told, pair, algorithms=["ES256"])


async def test_a_token_that_says_what_ours_say_is_taken(api: Api) -> None:
    token = await _signed_token(api)

    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 200


BAD_TOKENS: dict[str, dict[str, Any]] = {
    "typ JWT": {"header": {"typ": "JWT"}},
    "typ of an ID token": {"header": {"typ": "id+jwt"}},
    "an unknown kid": {"header": {"kid": "0" * 16}},
    "a long kid": {"header": {"kid": "0" * 40}},
    "no kid": {"header": {"kid": None}},
    "another iss": {"iss": "https://other.example.com"},
    "no iss": {"iss": None},
    "another aud": {"aud": "https://other.example.com"},
    "two aud": {"aud": [ISSUER, "https://other.example.com"]},
    "no aud": {"aud": None},
    "no exp": {"exp": None},
    "expired": {"exp": int(time.time()) - 1},
    "exp as a text": {"exp": "9999999999"},
    "before its time": {"nbf": int(time.time()) + 3_600},
    "issued in the future": {"iat": int(time.time()) + 3_600},
    "no iat": {"iat": None},
    "no jti": {"jti": None},
    "another jti": {"jti": "x"},
    "no client": {"client_id": None},
    "another sub": {"sub": "00000000"},
    "a client that nobody has": {"client_id": "00000000", "sub": "00000000"},
    "no scope": {"scope": None},
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_token_with_our_signature_that_says_something_else_is_invalid(api: Api, name: str) -> None:
    await _ensure_invalid(api, await _signed_token(api, **BAD_TOKENS[name]))


async def test_a_token_cannot_name_scopes_that_its_client_does_not_have(api: Api) -> None:
    token = await _signed_token(api, scope="keys accounts admin nonsense")

    assert (await api.client.get("/v1/me", headers=bearer(token))).json()["scopes"] == ["keys"]


async def test_a_token_of_another_algorithm_or_key_is_invalid(api: Api) -> None:
    token = await _signed_token(api)
    body, _, signature = token.rpartition(".")
    key = await KEYS.tokens.newest()
    pair = pair_of(key.secret)
    claims = jwt.decode(token, pair, algorithms=["ES256"]).claims
    header = {"typ": "at+jwt", "kid": key.kid}

    for bad in (
        unsigned({"alg": "none", **header}, claims),
        _by_hmac(_pem(pair), {"alg": "HS256", **header}, claims),
        _by_hmac(key.secret, {"alg": "HS256", **header}, claims),
        signed(ECKey.generate_key("P-256"), claims, header=header),
        f"{body}.{base64.urlsafe_b64encode(bytes(64)).decode().rstrip('=')}",
        f"{body}.{signature[:-4]}AAAA",
        f"{body}.",
        f"{token}.x",
        "eyJ" + "x" * 8_000,
        "eyJ" + "[" * 500,
        "cs_at_" + "0" * 46,
        "cs_at_" + "0" * 8_000,
    ):
        await _ensure_invalid(api, bad)


async def test_a_token_of_100_kb_is_refused_before_it_is_read(api: Api) -> None:
    async with opened(api.server) as stranger:
        answer = await stranger.get("/v1/me", headers=bearer("cs_at_" + "x" * 100_000))

    assert (answer.status_code, answer.json()["code"]) == (431, "headers-too-large")


async def _ensure_invalid(api: Api, token: str) -> None:
    async with opened(api.server) as stranger:
        answer = await stranger.get("/v1/me", headers=bearer(token))

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), token[:80]
    assert answer.headers["www-authenticate"] == 'Bearer realm="countersign", error="invalid_token"'
