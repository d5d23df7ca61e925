"""What a key hands on stays inside it: nothing that lives longer, nothing that is good from elsewhere."""

from datetime import datetime
from typing import Any

import pytest

from domain.access import Scope
from tests.api.oauth_clients import a_client, a_token, bearer
from tests.api.serving import Api, calling
from tests.people import acting_on, signed_in

DAY_S = 86_400
OWN = ("127.0.0.0/9", "127.128.0.0/9", "2001:db8::/32")
# Everything under 127 lies in the first two together.
INSIDE = [["127.0.0.0/8"], ["127.0.0.1", "2001:db8:1::/48"], list(OWN)]
BEYOND: list[list[str]] = [[], ["0.0.0.0/0"], ["127.0.0.1", "203.0.113.7"], ["::/0"], ["126.0.0.0/7"]]


def end_of(told: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(told["expires_at"])


async def own_end(api: Api) -> datetime:
    keys = (await api.client.get("/v1/keys")).json()["keys"]
    return end_of(next(each for each in keys if each["id"] == api.caller.key_id))


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/clients"])
async def test_what_a_key_makes_ends_no_later_than_it(api: Api, path: str) -> None:
    async with calling(api.server, expires_in_s=5 * DAY_S + 60) as brief:
        usual = await brief.client.post(path, json={})
        sooner = await brief.client.post(path, json={"expires_in_days": 5})
        later = await brief.client.post(path, json={"expires_in_days": 6})
        end = await own_end(brief)

    assert end_of(usual.json()) == end > end_of(sooner.json())
    assert (later.status_code, later.json()["code"]) == (422, "invalid-request")
    assert "at most 5" in later.json()["detail"]


async def test_a_key_rotated_by_itself_or_another_gets_no_later_end_than_the_caller(api: Api) -> None:
    async with calling(api.server, expires_in_s=DAY_S) as brief:
        end = await own_end(brief)
        other = (await brief.client.post("/v1/keys", json={})).json()
        rotated = [await brief.client.post(f"/v1/keys/{each}/rotate", json={}) for each in (other["id"],)]
        rotated += [await brief.client.post(f"/v1/keys/{brief.caller.key_id}/rotate", json={"overlap_s": 3600})]
        next_one = rotated[-1].json()
        headers = bearer(next_one["key"])
        rotated += [await brief.client.post(f"/v1/keys/{next_one['id']}/rotate", json={}, headers=headers)]

    assert {end_of(each.json()) for each in rotated} == {end}


async def test_an_operator_gives_a_key_the_life_and_the_networks_that_it_could_not_take(api: Api) -> None:
    async with calling(api.server, expires_in_s=DAY_S, allowlist=("127.0.0.0/8",)) as brief:
        end, path = await own_end(brief), f"/v1/keys/{brief.caller.key_id}"
        async with signed_in(api.server) as owner:
            headers = acting_on(brief)
            opened_up = await owner.patch(path, json={"allowlist": []}, headers=headers)
            rotated = await owner.post(f"{path}/rotate", json={}, headers=headers)

    assert (opened_up.json()["allowlist"], rotated.json()["allowlist"]) == ([], [])
    assert (end_of(rotated.json()) - end).days >= 363


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/clients"])
async def test_what_a_key_makes_is_good_from_nowhere_that_it_is_not(api: Api, path: str) -> None:
    async with calling(api.server, allowlist=OWN) as bound:
        usual = await bound.client.post(path, json={})
        inside = [await bound.client.post(path, json={"allowlist": each}) for each in INSIDE]
        beyond = [await bound.client.post(path, json={"allowlist": each}) for each in BEYOND]

    assert usual.json()["allowlist"] == list(OWN)
    assert [each.json()["allowlist"] for each in inside] == INSIDE
    assert {(each.status_code, each.json()["code"]) for each in beyond} == {(422, "invalid-request")}
    assert all(", ".join(OWN) in each.json()["detail"] for each in beyond)


async def test_a_key_narrows_its_own_allowlist_and_its_childrens_and_widens_neither(api: Api) -> None:
    async with calling(api.server, allowlist=OWN) as bound:
        child = (await bound.client.post("/v1/keys", json={})).json()["id"]
        paths = [f"/v1/keys/{each}" for each in (child, bound.caller.key_id)]
        beyond = [
            await bound.client.patch(path, json={"allowlist": each, "allow_lockout": True})
            for path in paths
            for each in BEYOND
        ]
        narrowed = [await bound.client.patch(path, json={"allowlist": ["127.0.0.1"]}) for path in paths]
        back = [await bound.client.patch(path, json={"allowlist": list(OWN)}) for path in paths]

    assert {each.status_code for each in (*beyond, *back)} == {422}
    assert [each.json()["allowlist"] for each in narrowed] == [["127.0.0.1"]] * 2


async def test_a_key_that_is_good_from_elsewhere_is_not_rotated_by_one_that_is_not(api: Api) -> None:
    async with calling(api.server) as free, calling(api.server, allowlist=OWN, of=free.caller) as bound:
        refused = await bound.client.post(f"/v1/keys/{free.caller.key_id}/rotate", json={"overlap_s": 0})
        own = await bound.client.post(f"/v1/keys/{bound.caller.key_id}/rotate", json={})

        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
        assert (await free.client.get("/v1/me")).status_code == 200
        assert own.json()["allowlist"] == list(OWN)


async def test_a_token_is_bound_as_its_client_is(api: Api) -> None:
    scopes = [Scope.KEYS.value, Scope.ADMIN.value]
    client = await a_client(api, scopes=scopes, allowlist=["127.0.0.0/8"], expires_in_days=3)
    headers = bearer(await a_token(api, client))

    usual = await api.client.post("/v1/keys", json={}, headers=headers)
    bodies: list[dict[str, Any]] = [{"allowlist": []}, {"expires_in_days": 4}]
    beyond = [await api.client.post("/v1/keys", json=each, headers=headers) for each in bodies]

    assert (usual.json()["allowlist"], end_of(usual.json())) == (["127.0.0.0/8"], end_of(client))
    assert {each.status_code for each in beyond} == {422}
