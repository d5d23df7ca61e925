"""Accounts: whose business they are, what each status stops, and limits that let N through."""

import asyncio
from collections import Counter
from uuid import UUID

import httpx2
import pytest

from domain.ids import account_id
from domain.statuses import Environment
from tests.api.serving import Api, Server, calling
from tests.building import a_key, a_phone, code_of, pass_time
from tests.people import signed_in


async def administer(server: Server, of: Api, **changes: object) -> httpx2.Response:
    """Change an account as whoever the instance belongs to."""
    async with signed_in(server) as owner:
        return await owner.patch(f"/v1/accounts/{account_id(of.caller.account_id)}", json=changes)


async def test_an_account_is_made_read_listed_and_changed(api: Api) -> None:
    async with signed_in(api.server) as owner:
        made = await owner.post("/v1/accounts", json={"name": "Globex", "sends_per_day": 7})
        path = made.headers["location"]
        changed = await owner.patch(path, json={"plan": "large", "sends_per_day": None})
        listed = (await owner.get("/v1/accounts", params={"limit": 1})).json()
        following = await owner.get("/v1/accounts", params={"limit": 1, "cursor": listed["next_cursor"]})

    assert made.status_code == 201
    assert made.json() | {"id": "", "created_at": ""} == {
        "id": "",
        "name": "Globex",
        "status": "active",
        "reason": None,
        "plan": "standard",
        "requests_per_s": None,
        "sends_per_day": 7,
        "created_at": "",
    }
    assert changed.json() == made.json() | {"plan": "large", "sends_per_day": None}
    assert [each["name"] for each in listed["accounts"]] == ["Globex"]
    assert following.json()["accounts"][0]["id"] != made.json()["id"]


async def test_an_account_s_own_key_sees_its_own_account_and_no_other(api: Api) -> None:
    async with calling(api.server) as other:
        own = (await api.client.get("/v1/accounts")).json()
        foreign = await api.client.get(f"/v1/accounts/{account_id(other.caller.account_id)}")
        nowhere = await api.client.get(f"/v1/accounts/acc_{'0' * 32}")

    assert [each["id"] for each in own["accounts"]] == [account_id(api.caller.account_id)]
    assert foreign.status_code == 404
    assert foreign.json() == nowhere.json()


@pytest.mark.parametrize(
    "changes",
    [{}, {"name": None}, {"name": ""}, {"status": "gone"}, {"status": None}, {"requests_per_s": 0}, {"plan": "A B"}],
)
async def test_a_change_that_cannot_be_meant_changes_nothing(api: Api, changes: dict[str, object]) -> None:
    before = (await api.client.get("/v1/accounts")).json()

    answer = await administer(api.server, api, **changes)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert (await api.client.get("/v1/accounts")).json() == before


@pytest.mark.parametrize("status", ["restricted", "suspended"])
async def test_a_stopped_account_sends_nothing_at_once_and_its_live_codes_can_be_checked(api: Api, status: str) -> None:
    live = (await api.start(to=a_phone())).json()["id"]
    await pass_time(api.database, api.caller, seconds=60)

    await administer(api.server, api, status=status, reason="unpaid")

    start = await api.start(to=a_phone())
    resend = await api.client.post(f"/v1/verifications/{live}/resend")
    for each in (start, resend):
        assert (each.status_code, each.json()["code"]) == (403, "account-suspended")
        assert (each.json()["account_status"], each.json()["reason"]) == (status, "unpaid")
    assert await api.count() == 1
    checked = await api.check(live, code_of(UUID(hex=live[4:])))
    assert checked.json()["valid"] is True


async def test_a_reinstated_account_sends_again(api: Api) -> None:
    await administer(api.server, api, status="suspended", reason="unpaid")
    await administer(api.server, api, status="active")

    answer = await api.start(to=a_phone())

    assert answer.status_code == 201
    assert (await api.client.get("/v1/accounts")).json()["accounts"][0]["reason"] is None


async def test_a_warned_account_goes_on(api: Api) -> None:
    await administer(api.server, api, status="warned", reason="complaints")

    assert (await api.start(to=a_phone())).status_code == 201


async def test_nothing_works_with_a_key_of_a_closed_account_and_it_stays_closed(api: Api) -> None:
    await administer(api.server, api, status="closed", reason="left")

    async with asyncio.timeout(2):
        while (answer := await api.client.get("/v1/limits")).status_code == 200:
            pass
    again = await administer(api.server, api, status="active")

    assert (answer.status_code, answer.json()["code"]) == (403, "account-closed")
    assert (again.status_code, again.json()["code"]) == (403, "account-closed")


async def test_of_a_limit_of_five_a_day_five_are_let_through_however_many_come_at_once(server: Server) -> None:
    async with calling(server) as api:
        await administer(server, api, sends_per_day=5)
        answers = await asyncio.gather(*(api.start(to=a_phone()) for _ in range(20)))

        assert Counter(each.status_code for each in answers) == {201: 5, 429: 15}
        refused = next(each for each in answers if each.status_code == 429)
        assert (refused.json()["code"], refused.json()["limit"]) == ("account-send-limit", 5)
        assert await api.count() == 5


async def test_a_message_that_did_not_leave_is_not_counted_against_the_day(server: Server) -> None:
    async with calling(server) as api:
        await administer(server, api, sends_per_day=1)
        server.workflows.is_away = True
        away = await api.start(to=a_phone())
        server.workflows.is_away = False

        answers = [await api.start(to=a_phone()) for _ in range(2)]

        assert [away.status_code, *(each.status_code for each in answers)] == [503, 201, 429]


async def test_a_day_s_limit_is_of_one_environment(server: Server) -> None:
    async with calling(server) as api:
        await administer(server, api, sends_per_day=1)
        text, _ = await a_key(api.database, of=api.caller, environment=Environment.PRODUCTION)
        await api.start(to=a_phone())

        answer = await api.client.post(
            "/v1/verifications", json={"to": "+447400123456"}, headers={"Authorization": f"Bearer {text}"}
        )

        assert answer.status_code == 201


async def test_an_account_s_request_rate_is_over_all_of_its_keys(server: Server) -> None:
    async with calling(server) as api:
        await administer(server, api, requests_per_s=3)
        second, _ = await a_key(api.database, of=api.caller)
        keys = [api.key, second] * 5
        answers = [await api.client.get("/v1/limits", headers={"Authorization": f"Bearer {key}"}) for key in keys]

        assert Counter(each.status_code for each in answers) == {200: 6, 429: 4}
