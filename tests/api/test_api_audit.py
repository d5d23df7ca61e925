"""`/v1/audit`: an account sees its own trail, of its own environment, by filters and in pages, and can take it away."""

import base64
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.access import Role
from domain.statuses import Environment
from rules.audit.chain import Link, canonical_details, hash_of
from rules.audit.checkpoints import read_lines
from security.audit_signing import is_genuine
from tests.api.serving import Api, calling
from tests.people import signed_in
from tests.store.audit_trails import an_entry, recorded, vouched_for


async def listed(api: Api, **query: Any) -> list[int]:
    """Return the sequences listed, over all pages."""
    found, cursor = list[int](), None
    while True:
        page = await api.client.get("/v1/audit", params={**query, **({"cursor": cursor} if cursor else {})})
        assert page.status_code == 200, page.text
        found += [each["sequence"] for each in page.json()["entries"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return found


async def exported(api: Api) -> list[str]:
    """Return the lines of an export, taken by a person: a machine would need an approval, which is in the trail too."""
    async with signed_in(api.server, role=Role.COMPLIANCE, on=api) as officer:
        return (await officer.get("/v1/audit/export")).text.splitlines()


async def recorded_for(api: Api, *changes: dict[str, Any]) -> UUID:
    account = api.caller.account_id
    await recorded(api.database, *(an_entry(account, **each) for each in changes))
    return account


async def test_entries_are_listed_newest_first_in_pages_without_doubles(api: Api) -> None:
    await recorded_for(api, *({"details": {"at": at}} for at in range(7)))

    assert await listed(api, limit=3) == [7, 6, 5, 4, 3, 2, 1]


async def test_filters_narrow_the_list(api: Api) -> None:
    await recorded_for(
        api, {}, {"action": "number.unlocked"}, {"actor": "system"}, {"subject": "key:Other000"}, {"subject": None}
    )
    all_of_it = (await api.client.get("/v1/audit")).json()["entries"]
    third = next(each["at"] for each in all_of_it if each["sequence"] == 3)

    assert await listed(api, action="number.unlocked") == [2]
    assert await listed(api, actor="system") == [3]
    assert await listed(api, subject="key:Other000") == [4]
    assert set(await listed(api, **{"from": third})) >= {3, 4, 5}
    assert set(await listed(api, to=third)) <= {1, 2}
    assert await listed(api, action="key.revoked") == []


async def test_another_account_and_the_other_environment_are_never_shown(api: Api) -> None:
    await recorded_for(api, {}, {"environment": Environment.PRODUCTION}, {"environment": None})

    async with calling(api.server) as other:
        assert await listed(other) == []
    assert await listed(api) == [3, 1]


async def test_an_entry_can_be_hashed_from_what_is_shown(api: Api) -> None:
    account = await recorded_for(api, {})

    (shown,) = (await api.client.get("/v1/audit")).json()["entries"]

    link = Link(
        chain=account.hex,
        sequence=shown["sequence"],
        at=shown["at"].removesuffix("Z").ljust(26, "0") + "Z",
        environment=shown["environment"],
        actor=shown["actor"],
        action=shown["action"],
        subject=shown["subject"],
        details=canonical_details(shown["details"]),
        previous=shown["previous"],
    )
    assert hash_of(link) == shown["hash"]


async def test_an_export_is_the_whole_chain_with_its_checkpoints_and_its_end(api: Api) -> None:
    account = await recorded_for(api, {}, {"environment": Environment.PRODUCTION}, {"environment": None})
    await vouched_for(api.database)

    lines = [json.loads(line) for line in await exported(api)]

    kinds = [each["type"] for each in lines]
    assert kinds == ["key", "checkpoint", "entry", "withheld", "entry", "entry", "end"]
    entries = [each for each in lines if each["type"] in {"entry", "withheld"}]
    assert [each["previous"] for each in entries[1:]] == [each["hash"] for each in entries[:-1]]
    assert (entries[3]["action"], lines[-1]["hash"]) == ("audit.exported", entries[3]["hash"])
    assert set(entries[1]) == {"type", "chain", "sequence", "previous", "hash"}
    assert {each["chain"] for each in entries} == {account.hex}


async def test_an_exported_checkpoint_is_signed_with_the_key_that_is_shown(api: Api) -> None:
    await recorded_for(api, {})
    await vouched_for(api.database)

    shown = (await api.client.get("/v1/audit/key")).json()
    (checkpoint,) = read_lines(await exported(api))

    keys = {shown["kid"]: base64.b64decode(shown["public_key"])}
    assert is_genuine(checkpoint, keys)
    assert not is_genuine(replace(checkpoint, sequence=checkpoint.sequence + 1), keys)
    assert not is_genuine(replace(checkpoint, kind="cut"), keys)


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "LTE"},
        {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"},
        {"limit": "0"},
        {"limit": "101"},
        {"action": "key created"},
        {"actor": "ü"},
        {"subject": ""},
        {"from": "yesterday"},
        {"to": "2026-11-24T06:00:00"},
        {"other": "1"},
    ],
)
async def test_a_query_that_is_not_of_the_form_is_refused(api: Api, query: dict[str, str]) -> None:
    refused = await api.client.get("/v1/audit", params=query)

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
