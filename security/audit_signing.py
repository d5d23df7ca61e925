"""Checkpoints of the audit trail are signed with Ed25519 (RFC 8032), so that whoever has the public key can check them.

The private key is 32 bytes of the key ring; it is not in the database, so that who can change rows cannot sign.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rules.audit.checkpoints import Checkpoint, statement


class AuditSigner:
    """Signs checkpoints. `kid` names the public key: the first 16 hex digits of its SHA-256."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._private.public_key().public_bytes_raw()
        self.kid = hashlib.sha256(self.public_key).hexdigest()[:16]

    def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return a checkpoint with this key's name and signature."""
        named = replace(checkpoint, kid=self.kid)
        return replace(named, signature=base64.b64encode(self._private.sign(statement(named))).decode())


def is_genuine(checkpoint: Checkpoint, public_keys: Mapping[str, bytes]) -> bool:
    """Say whether one of these keys, by the name the checkpoint gives, signed it as it is."""
    key = public_keys.get(checkpoint.kid)
    if key is None:
        return False
    try:
        signature = base64.b64decode(checkpoint.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement(checkpoint))
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return base64.b64encode(signature).decode() == checkpoint.signature
