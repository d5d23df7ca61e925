"""Signed texts of whatever content are refused and never fail; keys that a client may register, and others."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from security.client_credentials import (
    client_id_in,
    is_client_id,
    is_opaque_token,
    is_secret,
    make_secret,
    make_token,
    new_client_id,
)
from security.client_keys import (
    MOST_KEYS,
    ClientKeyError,
    UnverifiedError,
    accepted_keys,
    claimed_client,
    kept_keys,
    stored_keys,
    verify,
)
from security.token_signing import TokenSigner
from tests.building import KEYS

PAIR = ECKey.generate_key("P-256")
JWK: dict[str, Any] = {**PAIR.as_dict(private=False), "kid": "mine"}
SIGNER = TokenSigner(KEYS.tokens, issuer="https://verify.example.com")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_HEADER = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["ES256", "none", "HS256", "RS256", 7, None]) | _JSON,
        "kid": st.sampled_from(["mine", "api-keys-1", "tokens-1", 7, None]) | _JSON,
        "typ": st.sampled_from(["at+jwt", "JWT", 7]) | _JSON,
        "crit": _JSON,
        "b64": _JSON,
        "jwk": _JSON,
        "zip": _JSON,
    },
)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


TEXTS = st.text(max_size=80) | st.builds(
    lambda header, claims, signature: f"{part(header)}.{part(claims)}.{base64.urlsafe_b64encode(signature).decode()}",
    _HEADER | _JSON,
    st.fixed_dictionaries({}, optional={"sub": _JSON, "iss": _JSON, "exp": _JSON, "aud": _JSON}) | _JSON,
    st.binary(max_size=70),
)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
async def test_no_text_verifies_by_chance_and_none_makes_it_fail(text: str) -> None:
    with pytest.raises(UnverifiedError):
        verify(text, [JWK])

    claimed = claimed_client(text)
    assert claimed is None or isinstance(claimed, str)
    assert await SIGNER.read(text) is None


@pytest.mark.parametrize("text", [f"{part({'alg': 'ES256'})}.{'W1tb' * 1_900}.AAAA", "[" * 2_000, "." * 8_000])
async def test_what_nests_deep_is_refused_too(text: str) -> None:
    with pytest.raises(UnverifiedError):
        verify(text, [JWK])
    assert claimed_client(text) is None
    assert await SIGNER.read(text) is None


def test_public_keys_of_each_kind_can_be_registered_and_are_kept_as_they_were() -> None:
    pairs: list[ECKey | OKPKey | RSAKey] = [PAIR, OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)]
    keys = accepted_keys({"keys": [{**each.as_dict(private=False), "use": "sig", "x5t": "x"} for each in pairs]})

    assert [each["kid"] for each in keys] == [each.thumbprint() for each in pairs]
    assert [set(each) for each in keys] == [
        {"kty", "crv", "x", "y", "kid"},
        {"kty", "crv", "x", "kid"},
        {"kty", "n", "e", "kid"},
    ]
    assert kept_keys(stored_keys(keys)) == list(keys)


SMALL = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n.to_bytes(128)
UNFIT: dict[str, Any] = {
    "no set": JWK,
    "no list": {"keys": JWK},
    "none": {"keys": []},
    "too many": {"keys": [{**JWK, "kid": str(each)} for each in range(MOST_KEYS + 1)]},
    "two of one name": {"keys": [JWK, JWK]},
    "no object": {"keys": ["x"]},
    "no kty": {"keys": [{"crv": "P-256"}]},
    "a shared secret": {"keys": [OctKey.generate_key(256).as_dict()]},
    "a private key": {"keys": [PAIR.as_dict(private=True)]},
    "another curve": {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]},
    "another curve of Edwards": {"keys": [OKPKey.generate_key("Ed448").as_dict(private=False)]},
    "a key to agree on others": {"keys": [OKPKey.generate_key("X25519").as_dict(private=False)]},
    "a small modulus": {"keys": [{"kty": "RSA", "n": base64.urlsafe_b64encode(SMALL).decode(), "e": "AQAB"}]},
    "an exponent of 3": {"keys": [{**RSAKey.generate_key(2048).as_dict(private=False), "e": "Aw"}]},
    "a point on no curve": {"keys": [{**JWK, "x": JWK["y"]}]},
    "a number for x": {"keys": [{**JWK, "x": 7}]},
    "no base64": {"keys": [{**JWK, "x": "é"}]},
    "no y": {"keys": [{name: value for name, value in JWK.items() if name != "y"}]},
    "for encryption": {"keys": [{**JWK, "use": "enc"}]},
    "another algorithm": {"keys": [{**JWK, "alg": "HS256"}]},
    "an algorithm that is none": {"keys": [{**JWK, "alg": 7}]},
    "a kid that is no text": {"keys": [{**JWK, "kid": 7}]},
    "an empty kid": {"keys": [{**JWK, "kid": ""}]},
    "a long kid": {"keys": [{**JWK, "kid": "x" * 65}]},
    "a kid with a line end": {"keys": [{**JWK, "kid": "x\n"}]},
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_public_key_of_a_good_size_cannot_be_registered(name: str) -> None:
    with pytest.raises(ClientKeyError):
        accepted_keys(UNFIT[name])


def test_secrets_and_tokens_are_told_from_look_alikes_and_from_each_other() -> None:
    client_id = new_client_id()
    secret, token = make_secret(b"pepper", client_id).text, make_token(b"pepper").text

    assert is_client_id(client_id)
    assert client_id_in(secret) == client_id
    assert (is_secret(secret), is_opaque_token(token)) == (True, True)
    assert (is_secret(token), is_opaque_token(secret)) == (False, False)
    for text in (secret[:-1], secret + "x", secret.swapcase(), "", "cs_secret_", "cs_at_", secret + "\n"):
        assert not is_secret(text)
    assert not is_client_id("4fGh81K\uff11")


async def test_the_key_pair_of_a_version_is_the_same_on_every_machine() -> None:
    other = TokenSigner(KEYS.tokens, issuer="https://verify.example.com")

    assert await other.public_keys() == await SIGNER.public_keys()
