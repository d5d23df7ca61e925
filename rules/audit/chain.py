"""The chain: `hash = SHA-256(previous hash ‖ canonical JSON)`, the first link's previous hash being 32 zero bytes.

The canonical form is that of RFC 8785 for what an entry can hold: one object in UTF-8, names sorted, no white space,
text escaped only where JSON demands it, integers within ±(2^53 - 1), no floats. Its names are `action`, `actor`, `at`
(UTC with six decimals and `Z`), `chain`, `details`, `environment`, `sequence`, `subject`. Pure: no clock, no I/O.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring

from domain.audit import JsonScalar

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place. `at` and `details` are the canonical texts that the hash is made of."""

    chain: str
    sequence: int
    at: str
    environment: str | None
    actor: str
    action: str
    subject: str | None
    details: str
    previous: str
    hash: str = ""


def canonical_details(details: Mapping[str, JsonScalar]) -> str:
    """Return details in canonical form; this text is stored as it is."""
    return json.dumps(details, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def canonical_moment(moment: datetime) -> str:
    """Return a moment in canonical form: `2026-11-24T06:30:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hash_of(link: Link) -> str:
    """Return the hash that an entry should have in its place, in hex; `link.hash` is not looked at.

    A stored text that is not UTF-8 any more, or a previous hash that is none, gets a hash all the same: no right one.
    """
    text = (
        f'{{"action":{_text(link.action)},"actor":{_text(link.actor)},"at":{_text(link.at)},'
        f'"chain":{_text(link.chain)},"details":{link.details},"environment":{_text(link.environment)},'
        f'"sequence":{link.sequence},"subject":{_text(link.subject)}}}'
    )
    return sha256(_bytes_of(link.previous) + text.encode(errors="surrogateescape")).hexdigest()


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _bytes_of(previous: str) -> bytes:
    try:
        return bytes.fromhex(previous)
    except ValueError:
        return previous.encode(errors="surrogateescape")
