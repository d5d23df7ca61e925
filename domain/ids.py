"""Public ids: a prefix that says what it names, and the 32 hex digits of a version 7 UUID (RFC 9562)."""

import re
from uuid import UUID

from uuid_utils.compat import uuid7

_PUBLIC = re.compile(r"[a-z]{3}_([0-9a-f]{32})")


def new_id() -> UUID:
    """Return a fresh time-ordered id."""
    return uuid7()


def verification_id(value: UUID) -> str:
    """Return `ver_…`, the public id of a verification."""
    return f"ver_{value.hex}"


def attempt_id(value: UUID) -> str:
    """Return `att_…`, the public id of an attempt; it is also the carrier's reference."""
    return f"att_{value.hex}"


def parse(public_id: str, *, prefix: str) -> UUID | None:
    """Return the UUID inside a public id, or None when the text is not one with this prefix."""
    match = _PUBLIC.fullmatch(public_id)
    if match is None or not public_id.startswith(f"{prefix}_"):
        return None
    return UUID(hex=match[1])
