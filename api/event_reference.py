"""The events' part of the API reference: one webhook for each type, with the JSON schema of what is posted."""

from typing import Any

from domain.event_types import KINDS, EventKind, EventType
from domain.statuses import Environment

_ID = {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"}
_HEADERS = {
    "webhook-id": "The event's id, the same at every try.",
    "webhook-timestamp": "When this try was made, in seconds since 1970.",
    "webhook-signature": "One or more signatures (Standard Webhooks) with spaces between them.",
}


def webhooks() -> dict[str, Any]:
    """Return the `webhooks` of the OpenAPI document: every type."""
    return {each.value: {"post": _operation(each, KINDS[each])} for each in EventType}


def schema_of(event_type: EventType) -> dict[str, Any]:
    """Return the JSON schema of an event of a type, as webhooks, lists and streams tell it."""
    kind = KINDS[event_type]
    data: dict[str, Any] = {name: dict(schema) for name, schema in kind.fields.items()}
    if kind.of_verification:
        data["verification_id"] = {"type": "string", "pattern": "^ver_[0-9a-f]{32}$"}
        data["to"] = {"type": ["string", "null"], "description": "The number, masked; null once it is erased."}
    sequence = {"type": "integer", "minimum": 1} if kind.of_verification else {"type": "null"}
    return _object(
        {
            "id": _ID,
            "type": {"const": event_type.value},
            "version": {"const": kind.version},
            "timestamp": {"type": "string", "format": "date-time"},
            "environment": {"type": "string", "enum": [each.value for each in Environment]},
            "sequence": sequence,
            "data": _object(data),
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    # Others may be added without a new version, so what is not listed is no error.
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _operation(event_type: EventType, kind: EventKind) -> dict[str, Any]:
    return {
        "operationId": event_type.value,
        "summary": event_type.value,
        "description": kind.about,
        "tags": ["events"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": about, "schema": {"type": "string"}}
            for name, about in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(event_type)}}},
        "responses": {
            "2XX": {"description": "Taken. Anything else is a failure, and the event comes again."},
            "410": {"description": "Gone: the endpoint is disabled."},
        },
    }
