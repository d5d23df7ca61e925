"""Public ids: a prefix that says what it names, and the 32 hex digits of a version 7 UUID (RFC 9562)."""

import re
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

# A namespace of our own (RFC 9562 §6.5), so that our words meet nobody else's.
_ONCE = UUID("7d1c41f4-6a5d-5c0e-9f0b-3a1f0f3f7c11")
_PUBLIC = re.compile(r"[a-z]{3}_([0-9a-f]{32})")


def new_id() -> UUID:
    """Return a fresh time-ordered id."""
    return uuid7()


def verification_id(value: UUID) -> str:
    """Return `ver_…`, the public id of a verification."""
    return f"ver_{value.hex}"


def account_id(value: UUID) -> str:
    """Return `acc_…`, the public id of an account."""
    return f"acc_{value.hex}"


def attempt_id(value: UUID) -> str:
    """Return `att_…`, the public id of an attempt; it is also the carrier's reference."""
    return f"att_{value.hex}"


def event_id(value: UUID) -> str:
    """Return `evt_…`, the public id of an event; it is also the `webhook-id` of every delivery of it."""
    return f"evt_{value.hex}"


def webhook_id(value: UUID) -> str:
    """Return `whk_…`, the public id of a webhook endpoint."""
    return f"whk_{value.hex}"


def operator_id(value: UUID) -> str:
    """Return `opr_…`, the public id of an operator."""
    return f"opr_{value.hex}"


def session_id(value: UUID) -> str:
    """Return `ses_…`, the public id of an operator's session, which is not its token."""
    return f"ses_{value.hex}"


def approval_id(value: UUID) -> str:
    """Return `apr_…`, the public id of an approval."""
    return f"apr_{value.hex}"


def number_id(value: UUID) -> str:
    """Return `num_…`, the public id of a sender number; it is also its carrier's reference for orders."""
    return f"num_{value.hex}"


def block_id(value: UUID) -> str:
    """Return `blk_…`, the public id of a block."""
    return f"blk_{value.hex}"


def once(word: str) -> UUID:
    """Return the id of what may be there one time only: the same for the same word."""
    return uuid5(_ONCE, word)


def parse(public_id: str, *, prefix: str) -> UUID | None:
    """Return the UUID inside a public id, or None when the text is not one with this prefix."""
    match = _PUBLIC.fullmatch(public_id)
    if match is None or not public_id.startswith(f"{prefix}_"):
        return None
    return UUID(hex=match[1])
