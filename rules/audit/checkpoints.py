"""Checkpoints: signed statements about a chain that, kept elsewhere, show that it was cut short or made anew. Pure.

What is signed is one line of text that names the kind of statement, then the canonical JSON of `at`, `chain`, `hash`,
`kid`, `kind` and `sequence`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_PURPOSE = b"countersign/audit-checkpoint/v1\n"
# The event of the log in whose field `checkpoint` one stands.
LOGGED = "audit_checkpoint"
_EXPORTED = "checkpoint"
_NAMES = ("at", "chain", "hash", "kid", "kind", "sequence")


class CheckpointKind(StrEnum):
    """Why it was written: the hour had gone by, or what lies before it was about to be removed."""

    HOUR = "hour"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """That a chain had this hash at this sequence. `at` is canonical (`rules/audit/chain.py`), `signature` base64."""

    chain: str
    sequence: int
    hash: str
    at: str
    kind: str
    kid: str
    signature: str = ""


class UnreadableCheckpointError(ValueError):
    """A line that should hold a checkpoint holds none."""


def statement(checkpoint: Checkpoint) -> bytes:
    """Return the bytes that are signed."""
    content = {name: getattr(checkpoint, name) for name in _NAMES}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return _PURPOSE + text.encode(errors="surrogateescape")


def as_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as an export has it."""
    return {
        "type": _EXPORTED,
        **{name: getattr(checkpoint, name) for name in (*_NAMES, "signature")},
    }


def as_logged(checkpoint: Checkpoint) -> str:
    """Return a checkpoint in a form that no scrubber of logs takes for a number or a secret: its JSON in hex."""
    return json.dumps(as_json(checkpoint), separators=(",", ":")).encode().hex()


def read_lines(lines: Iterable[str]) -> list[Checkpoint]:
    """Return the checkpoints in lines of JSON; lines of another kind, such as log lines, are passed over.

    Raises:
        UnreadableCheckpointError: a line is not JSON, or is a checkpoint with a field missing or of the wrong type.

    """
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            content = _object(line, number)
            if content.get("event") == LOGGED:
                content = _object(_unlogged(content.get("checkpoint")), number)
            if content.get("type") == _EXPORTED:
                found.append(_checkpoint(content, number))
    return found


def _unlogged(text: object) -> str:
    try:
        return bytes.fromhex(str(text)).decode()
    except ValueError:
        return ""


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UnreadableCheckpointError(f"line {number} is not a JSON object")
    return content


def _checkpoint(content: dict[str, Any], number: int) -> Checkpoint:
    names = (*_NAMES, "signature")
    types = {name: int if name == "sequence" else str for name in names}
    if any(type(content.get(name)) is not types[name] for name in names):
        raise UnreadableCheckpointError(f"line {number} is not a whole checkpoint: {', '.join(names)} are needed")
    return Checkpoint(**{name: content[name] for name in names})
