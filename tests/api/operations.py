"""Every operation of the OpenAPI document, with a path that could be called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# For each name in a path, a value of the right form that names nothing.
NAMES = {
    "verification_id": f"ver_{'0' * 32}",
    "account_id": f"acc_{'0' * 32}",
    "key_id": "00000000",
    "operator_id": f"opr_{'0' * 32}",
    "approval_id": f"apr_{'0' * 32}",
    "client_id": "00000000",
    "webhook_id": f"whk_{'0' * 32}",
    "number_id": f"num_{'0' * 32}",
    "carrier": "alpha",
    "country": "GB",
}
# A stream has no end, so it is asked to go on after an event that is not there.
_HEADERS = {"stream_events": {"Last-Event-ID": f"evt_{'0' * 32}"}}


# Operations whose answer does not end by itself.
STREAMS = frozenset({"stream_events"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: its id, how it is called, and what the document says of it."""

    id: str
    method: str
    template: str
    path: str
    told: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers with which it comes to an end."""
        return _HEADERS.get(self.id, {})

    @property
    def names(self) -> list[str]:
        """Return the names in its path."""
        return re.findall(r"\{([^}]*)\}", self.template)

    def path_with(self, values: Mapping[str, str]) -> str:
        """Return its path with values in place of names."""
        return self.template.format(**(NAMES | dict(values)))


def every_operation(document: dict[str, Any]) -> list[Operation]:
    """Return every operation of a document."""
    return [
        Operation(
            id=told["operationId"],
            method=method.upper(),
            template=template,
            path=template.format(**NAMES),
            told=told,
        )
        for template, methods in document["paths"].items()
        for method, told in methods.items()
    ]
