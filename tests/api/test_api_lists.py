"""`GET /v1/verifications`: filters, and pages without doubles or gaps."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from domain.ids import parse
from store.tables import Verification, table_of
from tests.api.serving import Api, calling
from tests.building import a_phone, code_of, pass_time


async def listed(api: Api, **query: Any) -> list[str]:
    answer = await api.client.get("/v1/verifications", params=query)
    assert answer.status_code == 200
    return [each["id"] for each in answer.json()["verifications"]]


async def started(api: Api, *, count: int, **body: Any) -> list[str]:
    """Start verifications of fresh numbers; return their ids, oldest first."""
    return [(await api.start(**{"to": a_phone(), **body})).json()["id"] for _ in range(count)]


async def test_pages_follow_one_another_newest_first_without_doubles_or_gaps(api: Api) -> None:
    ids = await started(api, count=25)
    pages: list[list[str]] = []
    cursor = None

    while len(pages) == 0 or cursor is not None:
        answer = await api.client.get("/v1/verifications", params={"limit": 7} | ({"cursor": cursor} if cursor else {}))
        pages.append([each["id"] for each in answer.json()["verifications"]])
        cursor = answer.json()["next_cursor"]
        if len(pages) == 2:
            await started(api, count=1)  # comes in front and shifts nothing

    assert [len(each) for each in pages] == [7, 7, 7, 4]
    assert [each for page in pages for each in page] == ids[::-1]


async def test_verifications_of_the_same_moment_are_all_listed(api: Api) -> None:
    ids = await started(api, count=9)
    same = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
    await all_created_at(api, same)

    first = await api.client.get("/v1/verifications", params={"limit": 5})
    rest = await listed(api, limit=5, cursor=first.json()["next_cursor"])

    assert {*[each["id"] for each in first.json()["verifications"]], *rest} == set(ids)
    assert len(rest) == 4


async def all_created_at(api: Api, moment: datetime) -> None:
    table = table_of(Verification)
    async with api.database.transaction() as connection:
        await connection.execute(
            update(table).where(table.c.account_id == api.caller.account_id).values(created_at=moment)
        )


async def test_a_full_last_page_has_no_cursor(api: Api) -> None:
    await started(api, count=3)

    answer = await api.client.get("/v1/verifications", params={"limit": 3})

    assert len(answer.json()["verifications"]) == 3
    assert answer.json()["next_cursor"] is None


async def test_the_status_filter_takes_statuses_as_they_are_told(api: Api) -> None:
    overdue, approved, canceled, pending = [(await started(api, count=1))[0] for _ in range(4)]
    row = parse(approved, prefix="ver")
    assert row is not None
    await api.check(approved, code_of(row))
    await api.client.post(f"/v1/verifications/{canceled}/cancel")
    await pass_time(api.database, api.caller, seconds=400)
    pending = (await started(api, count=1))[0]

    found = {
        status: await listed(api, status=status)
        for status in ("pending", "approved", "canceled", "expired", "max_attempts_reached", "failed")
    }

    assert found["pending"] == [pending]
    assert found["approved"] == [approved]
    assert found["canceled"] == [canceled]
    assert overdue in found["expired"]
    assert found["max_attempts_reached"] == found["failed"] == []


async def test_the_country_filter_takes_the_parsed_country(api: Api) -> None:
    (british,) = await started(api, count=1)
    (french,) = await started(api, count=1, to="+33639980001")
    (manx,) = await started(api, count=1, to="+447624123456")

    assert await listed(api, country="GB") == [british]
    assert await listed(api, country="FR") == [french]
    assert await listed(api, country="IM") == [manx]


async def test_created_after_leaves_out_what_is_older(api: Api) -> None:
    await started(api, count=2)
    await pass_time(api.database, api.caller, seconds=3_600)
    ids = await started(api, count=2)
    newest = (await api.client.get(f"/v1/verifications/{ids[0]}")).json()["created_at"]
    before = datetime.fromisoformat(newest) - timedelta(minutes=1)

    assert await listed(api, created_after=before.isoformat()) == ids[::-1]
    assert await listed(api, created_after=before.isoformat().replace("+00:00", "Z")) == ids[::-1]


async def test_a_list_shows_attempts_and_advice_as_a_read_does(api: Api) -> None:
    (verification,) = await started(api, count=1)

    one = (await api.client.get(f"/v1/verifications/{verification}")).json()
    several = (await api.client.get("/v1/verifications")).json()["verifications"]

    assert several == [one]


async def test_accounts_do_not_see_one_another_s(api: Api) -> None:
    await started(api, count=2)
    async with calling(api.server) as other:
        assert await listed(other) == []


def a_cursor(created_at: Any, verification: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at, verification]).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "\u00e9"},
        {"cursor": a_cursor("2026-01-01T00:00:00+00:00", "xyz")},
        {"cursor": a_cursor("2026-01-01T00:00:00+00:00", 7)},
        {"cursor": a_cursor("0001-01-01T00:00:00+23:59", "0" * 32)},
        {"cursor": a_cursor(None, None)},
        {"cursor": a_cursor({}, [])},
        {"cursor": "W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb"},
        {"cursor": "0" * 201},
        {"created_after": "0001-01-01T00:00:00+23:59"},
        {"created_after": "9999-12-31T23:59:59-23:59"},
        {"created_after": "2026-01-01T00:00:00"},
        {"created_after": "yesterday"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"status": "lost"},
        {"country": "gb"},
        {"country": "GB\n"},
        {"country": "\x00\x00"},
        {"unknown": "1"},
    ],
    ids=repr,
)
async def test_a_query_that_cannot_be_read_is_refused(api: Api, query: dict[str, str]) -> None:
    answer = await api.client.get("/v1/verifications", params=query)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


@pytest.mark.parametrize(
    "asked",
    [
        "/v1/verifications?limit=1&limit=2",
        "/v1/verifications?status=pending&status=pending",
        "/v1/numbers?country=GB&country=US",
        "/v1/numbers/available?country=GB&country=US",
        "/v1/events?limit=1&type=check.failed&limit=1",
        "/v1/routes/health?country=GB&country=GB",
        "/v1/countries/GB/recommendation?priority=cost&priority=speed",
    ],
)
async def test_a_parameter_that_is_named_twice_is_refused(api: Api, asked: str) -> None:
    answer = await api.client.get(asked)
    stranger = await api.client.get(asked, headers={"Authorization": "Bearer nobody"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "once" in answer.json()["detail"]
    assert stranger.status_code == 401


async def test_a_parameter_that_takes_several_values_is_named_several_times(api: Api) -> None:
    asked = "/v1/events?type=check.failed&type=verification.created"

    assert (await api.client.get(asked)).status_code == 200
