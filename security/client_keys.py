"""Public keys that a client registers (JWKS, RFC 7517), and the assertions that it signs with theirs (RFC 7523).

The algorithm follows from the key and never from the assertion: P-256 signs ES256, Ed25519 signs Ed25519, RSA signs
PS256 or RS256. So a public key is no shared secret (HS256), `none` is none of them, and a key serves one purpose.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact

# RS256 for the modules and services that hold keys and know nothing newer. `Ed25519` is what RFC 9864 calls it.
ALGORITHMS: Mapping[str, tuple[str, ...]] = {"EC": ("ES256",), "OKP": ("Ed25519",), "RSA": ("PS256", "RS256")}
EVERY_ALGORITHM = tuple(sorted(each for named in ALGORITHMS.values() for each in named))
MOST_KEYS = 10
_MOST_CHARACTERS = 8_192
_PUBLIC = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENT = 65537
_MOST_KID = 64
# What a header says beyond what we know is not our affair, unless it is called critical, which is refused.
_REGISTRY = JWSRegistry(algorithms=EVERY_ALGORITHM, strict_check_header=False)


class _OneMeaning(json.JSONDecoder):
    """Reads JSON in which no object has a name twice: of such a one, each reader believes something else."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_object)


class ClientKeyError(ValueError):
    """A set of keys is not one that a client can register; the sentence says what is accepted."""


class UnverifiedError(ValueError):
    """A signed text does not verify: malformed, another key or algorithm, or changed on its way."""


def accepted_keys(jwks: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """Return the public keys of a set, each with a `kid`: its own, or its thumbprint (RFC 7638).

    Raises:
        ClientKeyError: it is not a set, or one of its keys cannot be registered.

    """
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_KEYS:
        raise ClientKeyError(f'a key set is {{"keys": […]}} with 1 to {MOST_KEYS} keys')
    found = tuple(_accepted(each) for each in listed)
    if len({each["kid"] for each in found}) < len(found):
        raise ClientKeyError("each key has a kid of its own")
    return found


def stored_keys(keys: Sequence[Mapping[str, str]]) -> str:
    """Return keys as they are stored."""
    return json.dumps(list(keys), separators=(",", ":"), sort_keys=True)


def kept_keys(text: str) -> list[dict[str, str]]:
    """Return keys that were stored."""
    keys: list[dict[str, str]] = json.loads(text)
    return keys


def claimed_client(text: str) -> str | None:
    """Return whom an assertion is said to be from, which nobody has verified yet; None for what is none."""
    try:
        claims = json.loads(extract_compact(_short(text), registry=_REGISTRY).payload, cls=_OneMeaning)
    except (JoseError, ValueError, RecursionError):
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else None


def verify(text: str, keys: Sequence[Mapping[str, str]]) -> jwt.Token:
    """Return the header and the claims of a signed text, which are still to be looked at (`rules/oauth.py`).

    Raises:
        UnverifiedError: it does not verify with the one key that it may be signed with.

    """
    try:
        data = _short(text)
        header = _header_of(extract_compact(data, registry=_REGISTRY))
        key = _key_for(header, keys)
        if "crit" in header or "b64" in header:
            raise UnverifiedError("no header is critical")
        imported = JWKRegistry.import_key({**key})
        return jwt.decode(
            data, imported, algorithms=list(ALGORITHMS[key["kty"]]), registry=_REGISTRY, decoder_cls=_OneMeaning
        )
    except (JoseError, ValueError, RecursionError) as error:
        raise UnverifiedError(str(error)) from error


def _short(text: str) -> bytes:
    if len(text) > _MOST_CHARACTERS:
        raise UnverifiedError(f"longer than {_MOST_CHARACTERS} characters")
    return text.encode("ascii")


def _header_of(signed: CompactSignature) -> dict[str, Any]:
    """Return a header that the library could read, unless it says something twice."""
    segment = signed.segments["header"]
    json.loads(base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)), cls=_OneMeaning)
    return signed.headers()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _key_for(header: Mapping[str, Any], keys: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return the key that a header names; where it names none, the only one of its algorithm."""
    fitting = [each for each in keys if header.get("alg") in ALGORITHMS[each["kty"]]]
    if "kid" in header:
        fitting = [each for each in fitting if each["kid"] == header["kid"]]
    if len(fitting) != 1:
        raise UnverifiedError("it names no key that is registered for its algorithm")
    return fitting[0]


def _accepted(jwk: Any) -> dict[str, str]:
    if not isinstance(jwk, dict) or jwk.get("kty") not in ALGORITHMS:
        raise ClientKeyError("a key is a JWK with kty EC (P-256), OKP (Ed25519) or RSA")
    if _PRIVATE & jwk.keys():
        raise ClientKeyError("only public keys are registered, and this one is private: make a new pair")
    kty: str = jwk["kty"]
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", ALGORITHMS[kty][0]) not in ALGORITHMS[kty]:
        raise ClientKeyError(f"use is sig, and alg of an {kty} key is {' or '.join(ALGORITHMS[kty])}")
    public = {name: jwk.get(name) for name in ("kty", *_PUBLIC[kty])}
    if not all(isinstance(value, str) for value in public.values()):
        raise ClientKeyError(f"an {kty} key has {', '.join(_PUBLIC[kty])}, as texts")
    key = _imported(public)
    kid = jwk.get("kid", key.thumbprint())
    if not isinstance(kid, str) or not 0 < len(kid) <= _MOST_KID or not (kid.isascii() and kid.isprintable()):
        raise ClientKeyError(f"kid is a text of 1 to {_MOST_KID} printable ASCII characters")
    return {**{name: str(value) for name, value in public.items()}, "kid": kid}


def _imported(public: Mapping[str, Any]) -> Key:
    """Return a key as the library reads it: its point is on the curve, and it is of a size that is still good."""
    try:
        is_good = (
            _integer(public["n"]).bit_length() in _RSA_BITS and _integer(public["e"]) == _RSA_EXPONENT
            if public["kty"] == "RSA"
            else public["crv"] == _CURVES[public["kty"]]
        )
        if is_good:
            return JWKRegistry.import_key({**public})
    except (JoseError, ValueError, TypeError) as error:
        raise ClientKeyError("a key cannot be read: its values are base64url, and belong to each other") from error
    raise ClientKeyError("EC keys are P-256, OKP keys Ed25519, RSA keys of 2048 to 4096 bits with e = 65537")


def _integer(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
