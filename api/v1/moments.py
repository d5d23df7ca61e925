"""Moments in answers: all written alike, so that a reader needs one way to read them."""

from datetime import datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

from domain.moments import moment

# RFC 3339 in UTC with milliseconds and a Z, whatever the database kept.
Instant = Annotated[
    datetime,
    PlainSerializer(moment, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T12:00:00.000Z"]}),
]
