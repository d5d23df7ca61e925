"""Keys through the API: made with no more than the maker has, shown once, narrowed, rotated, ended, reported."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from domain.access import EVERY_SCOPE, USUAL_SCOPES, Scope
from store import access_version
from store.audit_tables import AuditRow
from store.tables import ApiKey, table_of
from store.times import now_plus
from tests.api.serving import Api, calling, opened
from tests.building import OWN_SCOPES

ENTRIES = table_of(AuditRow)


async def made(api: Api, **body: Any) -> httpx2.Response:
    return await api.client.post("/v1/keys", json=body)


async def status_with(api: Api, text: str, path: str = "/v1/me") -> int:
    """Return how a key is answered."""
    return (await api.client.get(path, headers={"Authorization": f"Bearer {text}"})).status_code


async def actions(api: Api) -> list[tuple[str, str, str]]:
    """Return what the trail of the account says: actor, action, subject."""
    query = select(ENTRIES).where(ENTRIES.c.chain == api.caller.account_id.hex).order_by(ENTRIES.c.sequence)
    async with api.database.reading() as connection:
        return [(row.actor, row.action, row.subject) for row in await connection.execute(query)]


async def test_a_key_is_made_works_and_is_never_shown_again(api: Api) -> None:
    answer = await made(api, name="ci", scopes=["checks:write"], expires_in_days=30)
    told = answer.json()

    listed = await api.client.get("/v1/keys")
    me = await api.client.get("/v1/me", headers={"Authorization": f"Bearer {told['key']}"})

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert told["key"][8:16] == told["id"]
    assert told["key"] not in listed.text
    assert {each["id"] for each in listed.json()["keys"]} == {api.caller.key_id, told["id"]}
    assert (me.json()["scopes"], me.json()["key_id"]) == (["checks:write"], told["id"])
    assert await actions(api) == [(api.caller.actor, "key.created", told["id"])]


async def test_a_key_ends_after_a_year_unless_told_otherwise_and_two_at_most(api: Api) -> None:
    usual, longest, longer = [
        await made(api),
        await made(api, expires_in_days=730),
        await made(api, expires_in_days=731),
    ]

    lives = [datetime.fromisoformat(each.json()["expires_at"]) - datetime.now(tz=UTC) for each in (usual, longest)]
    assert [round(each / timedelta(days=1)) for each in lives] == [365, 730]
    assert longer.status_code == 422


async def test_a_key_left_to_the_default_has_nothing_of_admin(api: Api) -> None:
    assert set((await made(api)).json()["scopes"]) == USUAL_SCOPES


async def test_a_key_gives_out_only_what_it_has(api: Api) -> None:
    async with calling(api.server, scopes=frozenset({Scope.KEYS, Scope.ADMIN, Scope.CHECKS_WRITE})) as narrow:
        same = await made(narrow, scopes=["checks:write"])
        more = await made(narrow, scopes=["checks:write", "routes"])
        left_out = await made(narrow)
        whole = await made(api, scopes=["accounts"])

    assert same.status_code == 201
    assert (more.status_code, more.json()["scopes"]) == (403, ["routes"])
    assert set(left_out.json()["scopes"]) == {"keys", "checks:write"}
    assert whole.status_code == 403


async def test_the_scope_accounts_is_handed_on_by_nobody_who_has_it(api: Api) -> None:
    mighty = frozenset({Scope.KEYS, Scope.ADMIN, Scope.ACCOUNTS})
    async with calling(api.server, scopes=mighty) as holder:
        answers = [
            await made(holder, scopes=["accounts"]),
            await holder.client.post("/v1/clients", json={"scopes": ["keys", "accounts"]}),
            await holder.client.post(f"/v1/keys/{holder.caller.key_id}/rotate", json={}),
        ]
        left_out = await made(holder)

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(403, "insufficient-scope")}
    assert {tuple(each.json()["scopes"]) for each in answers} == {("accounts",)}
    assert all("command line" in each.json()["detail"] for each in answers)
    assert left_out.json()["scopes"] == ["keys"]


async def test_an_expired_key_is_refused_also_where_it_was_known(api: Api) -> None:
    text = (await made(api)).json()["key"]
    assert await status_with(api, text) == 200

    table = table_of(ApiKey)
    async with api.database.transaction() as connection:
        await connection.execute(update(table).where(table.c.key_id == text[8:16]).values(expires_at=now_plus(1)))
        await access_version.bump(connection)

    while await status_with(api, text) != 401:
        pass
    async with api.database.reading() as connection:
        left = (
            await connection.execute(select(table.c.expires_at > now_plus(0)).where(table.c.key_id == text[8:16]))
        ).scalar()
    assert not left


async def test_while_a_rotation_overlaps_both_keys_work_and_then_one_does(api: Api) -> None:
    old = (await made(api, name="server", scopes=["checks:write"], allowlist=["127.0.0.0/8"])).json()

    new = await api.client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_s": 3600})
    both = [await status_with(api, each) for each in (old["key"], new.json()["key"])]
    last = await api.client.post(f"/v1/keys/{new.json()['id']}/rotate", json={"overlap_s": 0})
    after = [await status_with(api, each["key"]) for each in (old, new.json(), last.json())]

    same = ("name", "scopes", "allowlist", "environment")
    assert new.status_code == last.status_code == 201
    assert [new.json()[each] for each in same] == [old[each] for each in same]
    assert both == [200, 200]
    assert after == [200, 401, 200]
    assert (api.caller.actor, "key.rotated", old["id"]) in await actions(api)


async def test_a_rotation_without_a_body_lets_both_keys_work_for_a_day(api: Api) -> None:
    old = (await made(api)).json()
    path = f"/v1/keys/{old['id']}"

    unknown = await api.client.post(f"{path}/rotate", json={"overlap": 0})
    asked, new = datetime.now(tz=UTC), await api.client.post(f"{path}/rotate")

    ending = next(each for each in (await api.client.get("/v1/keys")).json()["keys"] if each["id"] == old["id"])
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid-request")
    assert "overlap" in unknown.json()["detail"]
    assert (new.status_code, await status_with(api, new.json()["key"])) == (201, 200)
    assert round((datetime.fromisoformat(ending["expires_at"]) - asked) / timedelta(hours=1)) == 24


async def test_a_rotation_gives_nobody_more_than_it_has(api: Api) -> None:
    strong = (await made(api, scopes=["routes"])).json()
    weak = (await made(api, scopes=["keys", "admin"])).json()

    answer = await api.client.post(
        f"/v1/keys/{strong['id']}/rotate", json={}, headers={"Authorization": f"Bearer {weak['key']}"}
    )

    assert answer.status_code == 403
    assert await status_with(api, strong["key"]) == 200


async def test_a_weaker_key_changes_no_stronger_one_and_may_end_it(api: Api) -> None:
    strong = (await made(api, name="server", allowlist=["127.0.0.1"])).json()
    weak = (await made(api, scopes=["keys", "admin"])).json()
    path, headers = f"/v1/keys/{strong['id']}", {"Authorization": f"Bearer {weak['key']}"}

    bodies: list[dict[str, Any]] = [{"allowlist": []}, {"allowlist": ["127.0.0.0/8"]}, {"name": "mine"}]
    refused = [await api.client.patch(path, json=each, headers=headers) for each in bodies]
    listed = (await api.client.get("/v1/keys")).json()["keys"]
    ended = await api.client.post(f"{path}/revoke", headers=headers)

    missing = sorted(set(strong["scopes"]) - {"keys"})
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(403, "insufficient-scope")}
    assert all(each.json()["scopes"] == missing for each in refused)
    assert {name: strong[name] for name in ("name", "allowlist")}.items() <= listed[1].items()
    assert [action for _, action, _ in await actions(api)] == ["key.created", "key.created", "key.revoked"]
    assert (ended.status_code, await status_with(api, strong["key"])) == (200, 401)


async def test_a_key_with_accounts_narrows_its_own_allowlist(api: Api) -> None:
    async with calling(api.server, scopes=frozenset({Scope.KEYS, Scope.ADMIN, Scope.ACCOUNTS})) as holder:
        answer = await holder.client.patch(f"/v1/keys/{holder.caller.key_id}", json={"allowlist": ["127.0.0.1"]})

    assert answer.json()["allowlist"] == ["127.0.0.1"]


@pytest.mark.parametrize("overlap_s", [-1, 604_801, "60", None])
async def test_an_overlap_over_a_week_is_refused(api: Api, overlap_s: object) -> None:
    answer = await api.client.post(f"/v1/keys/{api.caller.key_id}/rotate", json={"overlap_s": overlap_s})

    assert answer.status_code == 422
    assert (await api.client.get("/v1/me")).status_code == 200


async def test_a_revoked_key_stops_at_once_in_the_process_that_revoked_it(api: Api) -> None:
    told = (await made(api)).json()
    assert await status_with(api, told["key"]) == 200

    ended = await api.client.post(f"/v1/keys/{told['id']}/revoke")
    again = await api.client.post(f"/v1/keys/{told['id']}/revoke")

    assert await status_with(api, told["key"]) == 401
    assert ended.json()["revoked_at"]
    assert again.status_code == 404


async def test_an_allowlist_that_would_lock_the_caller_out_is_refused_unless_it_is_meant(api: Api) -> None:
    path = f"/v1/keys/{api.caller.key_id}"

    refused = await api.client.patch(path, json={"allowlist": ["203.0.113.0/24"]})
    fitting = await api.client.patch(path, json={"allowlist": ["203.0.113.0/24", "127.0.0.1"]})
    meant = await api.client.patch(path, json={"allowlist": ["203.0.113.0/24"], "allow_lockout": True})
    outside = await api.client.get("/v1/me")

    assert (refused.status_code, refused.json()["code"]) == (422, "allowlist-locks-out")
    assert refused.json()["address"] == "127.0.0.1"
    assert "127.0.0.1" in refused.json()["detail"]
    assert fitting.json()["allowlist"] == ["203.0.113.0/24", "127.0.0.1"]
    assert meant.status_code == 200
    assert (outside.status_code, outside.json()["code"]) == (403, "address-not-allowed")


@pytest.mark.parametrize(
    "allowlist", [["everywhere"], ["10.0.0.1/8"], ["10.0.0.0/33"], [""], ["*"], ["10.0.0.1"] * 51, "10.0.0.1", [None]]
)
async def test_an_allowlist_that_is_none_is_refused_with_what_is_accepted(api: Api, allowlist: object) -> None:
    answers = [
        await made(api, allowlist=allowlist),
        await api.client.patch(f"/v1/keys/{api.caller.key_id}", json={"allowlist": allowlist}),
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(422, "invalid-request")}
    assert len((await api.client.get("/v1/keys")).json()["keys"]) == 1


async def test_a_report_of_a_leak_ends_a_genuine_key_and_is_answered_the_same_as_any_other(api: Api) -> None:
    text = (await made(api)).json()["key"]
    reports = ["nonsense", text[:-1] + "_", "cs_test_" + "0" * 46, text, text]
    async with opened(api.server) as stranger:
        answers = [await stranger.post("/v1/keys/report-leak", json={"key": each}) for each in reports]

    assert {(each.status_code, each.text) for each in answers} == {(200, '{"received":true}')}
    assert len({frozenset(each.headers.keys()) for each in answers}) == 1
    assert await status_with(api, text) == 401
    assert [each for each in await actions(api) if each[1] == "key.leak_reported"] == [
        ("system", "key.leak_reported", text[8:16])
    ]


async def test_reports_from_one_address_are_bounded(api: Api) -> None:
    async with opened(api.server) as stranger:
        answers = [await stranger.post("/v1/keys/report-leak", json={"key": "x"}) for _ in range(30)]

    assert {200, 429} >= {each.status_code for each in answers}
    assert answers[-1].status_code == 429


async def test_the_published_pattern_finds_keys_and_no_look_alikes(api: Api) -> None:
    pattern = re.compile((await api.client.get("/v1/keys/pattern")).json()["pattern"])

    assert pattern.findall(f"key={api.key}; other=cs_test_short cs_prod_{'0' * 46}") == [api.key]


async def test_a_key_sees_and_touches_keys_of_its_own_account_and_environment_only(api: Api) -> None:
    async with calling(api.server) as other:
        answers = [
            await api.client.patch(f"/v1/keys/{other.caller.key_id}", json={"name": "mine"}),
            await api.client.post(f"/v1/keys/{other.caller.key_id}/rotate", json={}),
            await api.client.post(f"/v1/keys/{other.caller.key_id}/revoke"),
        ]
        assert {each.status_code for each in answers} == {404}
        assert (await other.client.get("/v1/me")).status_code == 200


def test_what_an_account_s_own_key_can_have_is_everything_but_accounts() -> None:
    assert OWN_SCOPES == EVERY_SCOPE - {Scope.ACCOUNTS} == USUAL_SCOPES | {Scope.ADMIN}
