"""Everything that can be read in a history: its texts, and what those are that are base64."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from temporalio.client import WorkflowHistory

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def texts_of(history: WorkflowHistory) -> list[str]:
    """Return every text of a history, decoded."""
    return list(_decoded(json.loads(history.to_json())))


def _decoded(recorded: Any) -> Iterator[str]:
    match recorded:
        case dict():
            for each in recorded.values():
                yield from _decoded(each)
        case list():
            for each in recorded:
                yield from _decoded(each)
        case str():
            yield recorded
            if _BASE64.fullmatch(recorded) and len(recorded) % 4 == 0:
                yield base64.b64decode(recorded).decode(errors="replace")
