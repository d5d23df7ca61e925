"""Every moment in an answer is written alike: RFC 3339, UTC, milliseconds, Z; the audit trail's own form apart."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import pytest
from pydantic import BaseModel, PlainSerializer, TypeAdapter

import api.v1
from api.v1.models import StrictBody
from api.v1.moments import Instant
from tests.api.serving import Api
from tests.building import a_phone
from tests.store.numbering import a_number

WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
# What looks like a moment at all.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")


def models() -> Iterator[type[BaseModel]]:
    """Yield every model of an answer."""
    for module in pkgutil.iter_modules(api.v1.__path__):
        for each in vars(importlib.import_module(f"api.v1.{module.name}")).values():
            if isinstance(each, type) and issubclass(each, BaseModel) and not issubclass(each, StrictBody):
                yield each


def mentions_moment(annotation: Any) -> bool:
    return annotation is datetime or any(mentions_moment(each) for each in get_args(annotation))


def writes_moments(annotation: Any, metadata: list[Any]) -> bool:
    """Say whether a field's moments are written by `Instant`."""
    inner = [each for part in get_args(annotation) for each in getattr(part, "__metadata__", ())]
    return any(isinstance(each, PlainSerializer) for each in (*metadata, *inner))


def moments_in(said: Any) -> Iterator[str]:
    """Yield the texts of an answer that look like moments."""
    match said:
        case dict():
            for each in said.values():
                yield from moments_in(each)
        case list():
            for each in said:
                yield from moments_in(each)
        case str() if MOMENT.fullmatch(said):
            yield said


def test_every_moment_of_every_answer_is_an_instant() -> None:
    found = {
        f"{model.__name__}.{name}": writes_moments(field.annotation, field.metadata)
        for model in models()
        for name, field in model.model_fields.items()
        if mentions_moment(field.annotation)
    }

    assert len(found) > 30
    assert [name for name, is_instant in sorted(found.items()) if not is_instant] == []


@pytest.mark.parametrize(
    ("kept", "written"),
    [
        ("2026-11-24T12:00:00+00:00", "2026-11-24T12:00:00.000Z"),
        ("2026-11-24T12:00:00.123456+00:00", "2026-11-24T12:00:00.123Z"),
    ],
)
def test_a_moment_is_written_with_milliseconds_whatever_was_kept(kept: str, written: str) -> None:
    assert TypeAdapter(Instant).dump_json(datetime.fromisoformat(kept)).decode() == f'"{written}"'


async def test_what_answers_say_is_written_so(api: Api) -> None:
    for _ in range(2):
        await a_number(api.database, "BE")
    await api.client.post("/v1/numbers", json={"country": "BE", "type": "long_code"})
    started = (await api.start(to=a_phone())).json()
    too_soon = (await api.client.post(f"/v1/verifications/{started['id']}/resend")).json()

    paths = ("/v1/verifications", "/v1/numbers", "/v1/events", "/v1/keys", "/v1/webhooks", "/v1/routes/health")
    answers = [(await api.client.get(path)).json() for path in paths]
    said = [*moments_in([started, too_soon, *answers])]

    assert len(said) > 12
    assert [each for each in said if not WRITTEN.fullmatch(each)] == []


async def test_the_audit_trail_keeps_the_form_that_it_is_hashed_in(api: Api) -> None:
    for _ in range(2):
        await a_number(api.database, "BG")
    await api.client.post("/v1/numbers", json={"country": "BG", "type": "long_code"})

    entries = (await api.client.get("/v1/audit")).json()["entries"]

    assert entries
    assert all(re.fullmatch(r"[0-9T:-]{19}\.[0-9]{6}Z", each["at"]) for each in entries)
