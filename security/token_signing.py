"""Access tokens as signed JWTs (RFC 9068): ES256, with a key of the instance in versions, published as a JWKS.

Each version's 32 bytes are stretched to a key pair, so that what is wrapped, rotated and backed up is alike for every
use. Only tokens of these keys, of this algorithm and of the type `at+jwt` are read; the library looks at none of that.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry, extract_compact

from rules.oauth import ACCESS_TOKEN_TYPE, AccessClaims, ClaimsError, read_access_claims
from security.keyring import Key, UnknownKeyError, Versions

ALGORITHM = "ES256"
# Ours have 600 characters.
_MOST_CHARACTERS = 2_048
_KID_CHARACTERS = 16
# Order of P-256 (SP 800-186, §3.2.1.3); 64 bits more than it has leave no bias to speak of (FIPS 186-5, A.2.1).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_STRETCHED_BYTES = 40
_REGISTRY = JWSRegistry(algorithms=[ALGORITHM])
# A token of the version before lives for minutes: two are enough for whoever reads the set, one more for a mishap.
_PUBLISHED = 3


class TokenSigner:
    """Signs access tokens, reads them again, and publishes what others read them with."""

    def __init__(self, keys: Versions, *, issuer: str) -> None:
        self._keys = keys
        self._pairs: dict[str, ECKey] = {}
        self.issuer = issuer

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token with these claims, beside which stand issuer and audience."""
        key = await self._keys.newest()
        header = {"alg": ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": key.kid}
        told = {**claims, "iss": self.issuer, "aud": self.issuer}
        return jwt.encode(header, told, self._pair(key), algorithms=[ALGORITHM])

    async def read(self, text: str) -> AccessClaims | None:
        """Return what a token of ours says, whether or not its time has come or is over; None for any other text.

        Raises:
            DatabaseUnavailableError, KeysUnavailableError: it names a key that cannot be loaded now.

        """
        if len(text) > _MOST_CHARACTERS:
            return None
        try:
            data = text.encode("ascii")
            header = extract_compact(data, registry=_REGISTRY).headers()
            kid = header.get("kid")
            if not isinstance(kid, str) or len(kid) > _KID_CHARACTERS:
                return None
            pair = self._pair(await self._keys.of(kid))
            found = jwt.decode(data, pair, algorithms=[ALGORITHM], registry=_REGISTRY)
            return read_access_claims(found.header, found.claims, issuer=self.issuer)
        except (JoseError, UnknownKeyError, ClaimsError, ValueError, RecursionError):
            return None

    async def public_keys(self) -> list[dict[str, str]]:
        """Return the public keys that tokens of now may be signed with, as JWKs, newest first."""
        await self._keys.newest()
        newest = sorted(self._keys.known.values(), key=lambda key: -key.version)[:_PUBLISHED]
        return [self._public(key) for key in newest]

    def _public(self, key: Key) -> dict[str, str]:
        told = self._pair(key).as_dict(private=False)
        public = {name: str(told[name]) for name in ("kty", "crv", "x", "y")}
        return {**public, "kid": key.kid, "use": "sig", "alg": ALGORITHM}

    def _pair(self, key: Key) -> ECKey:
        pair = self._pairs.get(key.kid)
        if pair is None:
            pair = self._pairs[key.kid] = pair_of(key.secret)
        return pair


def pair_of(secret: bytes) -> ECKey:
    """Return the key pair of 32 bytes, the same on every machine."""
    stretched = HKDF(algorithm=SHA256(), length=_STRETCHED_BYTES, salt=None, info=b"countersign/token-signing/v1")
    number = int.from_bytes(stretched.derive(secret)) % (_ORDER - 1) + 1
    return ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1()))
