"""Numbers, pools and policies over HTTP, with a real sandbox's inventory behind them."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from domain.access import EVERY_SCOPE, Scope
from domain.statuses import Environment
from runtime.setup import pool_book
from services.pools import Pools
from store.numbers import find_number
from tests.api.serving import Api, Server, calling, running_api
from tests.building import OWN_SCOPES, a_verification, an_attempt
from tests.people import approved
from tests.sandbox.serving import SECRET, running_sandbox
from tests.store.numbering import a_number


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("numbers")
    with (
        running_sandbox(home / "sandbox.db", receipt_url="http://127.0.0.1:9/receipts") as sandbox,
        running_api(home, sandbox_url=sandbox.url, sandbox_secret=SECRET) as server,
    ):
        yield server


@pytest.fixture
async def account(stocked: Server) -> AsyncIterator[Api]:
    async with calling(stocked) as api:
        await Pools(database=api.database).load(pool_book(), environment=Environment.SANDBOX)
        yield api


async def a_reservation(api: Api, *, country: str = "GB", kind: str = "long_code") -> dict[str, Any]:
    found = await api.client.get("/v1/numbers/available", params={"country": country, "type": kind})
    offer = next(each for each in found.json()["numbers"] if each["sender"][-1] not in "89")
    body = {name: offer[name] for name in ("carrier", "sender", "country")}
    answer = await api.client.post("/v1/numbers/reservations", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/numbers/{made['id']}"
    return made


async def test_what_is_found_can_be_reserved_read_and_listed(account: Api) -> None:
    made = await a_reservation(account)

    read = await account.client.get(f"/v1/numbers/{made['id']}")
    listed = await account.client.get("/v1/numbers", params={"status": "reserved", "country": "GB"})

    assert made["status"] == "reserved"
    assert made["until"] is not None
    assert made["own"] is True
    assert read.json() == made
    assert listed.json() == {"numbers": [made], "next_cursor": None}
    assert (await account.client.get("/v1/numbers", params={"country": "FR"})).json()["numbers"] == []


async def test_what_is_found_fits_what_was_asked_for(account: Api) -> None:
    voice = {"country": "US", "type": "toll_free", "capability": "voice"}

    found = (await account.client.get("/v1/numbers/available", params=voice)).json()

    assert {(each["country"], each["type"]) for each in found["numbers"]} == {("US", "toll_free")}
    assert all("voice" in each["capabilities"] for each in found["numbers"])
    assert found["silent_carriers"] == []
    assert (await account.client.get("/v1/numbers/available", params={"country": "NL"})).json()["numbers"] == []


async def test_an_overlapping_reservation_is_refused(account: Api, stocked: Server) -> None:
    made = await a_reservation(account)
    body = {name: made[name] for name in ("carrier", "sender", "country")}

    async with calling(stocked) as other:
        answers = [await each.client.post("/v1/numbers/reservations", json=body) for each in (account, other)]
        listed = await other.client.get("/v1/numbers")

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(409, "number-taken")}
    assert listed.json()["numbers"] == []


async def test_a_page_of_numbers_ends_where_the_next_begins(account: Api) -> None:
    made = [(await a_reservation(account))["id"] for _ in range(3)]

    first = (await account.client.get("/v1/numbers", params={"limit": 2})).json()
    second = (await account.client.get("/v1/numbers", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [each["id"] for each in first["numbers"] + second["numbers"]] == made[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/v1/numbers/available", {"country": "ZZ"}, 422, "unknown-country"),
        ("/v1/numbers/available", {"country": "gb"}, 422, "invalid-request"),
        ("/v1/numbers/available", {"country": "GB", "type": "pigeon"}, 422, "invalid-request"),
        ("/v1/numbers", {"cursor": "num_1"}, 422, "invalid-request"),
        ("/v1/numbers/num_1", {}, 404, "not-found"),
        ("/v1/pools/ZZ", {}, 422, "unknown-country"),
        ("/v1/pools/AT", {}, 404, "not-found"),
        ("/v1/routes/policies/ZZ", {}, 422, "unknown-country"),
        ("/v1/countries/ZZ/recommendation", {}, 422, "unknown-country"),
        ("/v1/countries/GB/recommendation", {"monthly_volume": 0}, 422, "invalid-request"),
        ("/v1/countries/GB/recommendation", {"use_case": "marketing"}, 422, "invalid-request"),
        ("/v1/countries/GB/recommendation", {"priority": "luck"}, 422, "invalid-request"),
    ],
)
async def test_bad_questions_are_told_what_is_wrong(
    account: Api, path: str, params: dict[str, Any], status: int, code: str
) -> None:
    answer = await account.client.get(path, params=params)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_pools_tell_what_they_hold_and_what_they_carry(account: Api) -> None:
    pools = {each["country"]: each for each in (await account.client.get("/v1/pools")).json()["pools"]}
    pool = (await account.client.get("/v1/pools/GB")).json()

    assert len(pools) == 13
    assert pool["pool"] == pools["GB"]
    assert pool["pool"]["in_service"] >= 5
    assert pool["pool"]["parts_per_s"] >= 302
    names = [each["number"]["sender"] for each in pool["numbers"] if each["number"]["type"] == "alphanumeric"]
    assert names == ["Countersign", "Countersign"]
    assert pool["health"] == []


async def test_a_policy_is_set_read_and_listed(account: Api) -> None:
    body = {"primary_pool": "GB", "backup_pools": ["US"], "mode": "cheapest", "receipt_wait_s": 9}
    body |= {"auto_resend": True, "auto_rotate": True}

    before = (await account.client.get("/v1/routes/policies/GB")).json()
    put = await account.client.put("/v1/routes/policies/GB", json=body)
    after = (await account.client.get("/v1/routes/policies/GB")).json()

    assert (before["source"], before["auto_resend"]) == ("instance", False)
    assert put.status_code == 200, put.text
    assert put.json() == after
    assert after | body == after
    assert (after["source"], after["max_carriers"]) == ("account", 3)
    assert (await account.client.get("/v1/routes/policies")).json() == {"policies": [after]}


async def test_everywhere_else_has_a_policy_of_its_own(account: Api) -> None:
    put = await account.client.put("/v1/routes/policies/default", json={"primary_pool": "GB", "mode": "ordered"})
    vain = await account.client.put("/v1/routes/policies/default", json={"primary_pool": "DE"})

    assert (put.status_code, put.json()["country"], put.json()["source"]) == (200, "default", "account")
    assert put.json()["max_carriers"] == 2
    assert (vain.status_code, vain.json()["code"]) == (422, "no-route")
    assert (await account.client.get("/v1/routes/policies/AT")).json()["primary_pool"] == "GB"


@pytest.mark.parametrize("destination", ["GB", "default"])
async def test_a_policy_that_is_taken_back_gives_way_to_the_instance_s(account: Api, destination: str) -> None:
    path = f"/v1/routes/policies/{destination}"
    before = (await account.client.get(path)).json()
    await account.client.put(path, json={"allowed": False})

    back = await account.client.delete(path)
    again = await account.client.delete(path)

    assert back.status_code == 200
    assert back.json() == before == (await account.client.get(path)).json()
    assert (again.status_code, again.json()["code"]) == (404, "not-found")
    assert (await account.client.get("/v1/routes/policies")).json() == {"policies": []}


async def test_everywhere_else_may_be_not_allowed(account: Api) -> None:
    put = await account.client.put("/v1/routes/policies/default", json={"allowed": False})
    france = (await account.client.get("/v1/routes/policies/FR")).json()
    offers = await account.client.get("/v1/numbers/available", params={"country": "GB", "type": "long_code"})
    offer = {name: offers.json()["numbers"][0][name] for name in ("carrier", "sender", "country")}

    reserved = await account.client.post("/v1/numbers/reservations", json=offer)

    assert put.json()["country"] == "default"
    assert (france["country"], france["source"], france["allowed"]) == ("FR", "everywhere_else", False)
    assert (reserved.status_code, reserved.json()["code"]) == (422, "country-not-allowed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"primary_pool": "GB", "backup_pools": ["GB"]}, "invalid-policy"),
        ({"primary_pool": "GB", "backup_pools": ["US", "US"]}, "invalid-policy"),
        ({"primary_pool": "GB", "auto_resend": True, "max_attempts": 1}, "invalid-policy"),
        ({"primary_pool": "GB", "auto_resend": "yes"}, "invalid-request"),
        ({"primary_pool": "GB", "auto_rotate": 1}, "invalid-request"),
        ({}, "invalid-policy"),
        ({"primary_pool": "AT"}, "no-route"),
        ({"primary_pool": "US", "backup_pools": ["FR"]}, "no-route"),
        ({"primary_pool": "GB", "max_attempts": 4}, "invalid-request"),
        ({"primary_pool": "GB", "receipt_wait_s": 7}, "invalid-request"),
        ({"primary_pool": "gb"}, "invalid-request"),
    ],
)
async def test_a_policy_that_cannot_be_changes_nothing(account: Api, body: dict[str, Any], code: str) -> None:
    put = await account.client.put("/v1/routes/policies/US", json=body)

    assert (put.status_code, put.json()["code"]) == (422, code)
    assert (await account.client.get("/v1/routes/policies")).json() == {"policies": []}


async def test_a_recommendation_names_pools_kind_timers_reasons_and_facts(account: Api) -> None:
    asked: dict[str, str | int] = {"use_case": "authenticate", "monthly_volume": 5_000_000, "priority": "cost"}

    told = (await account.client.get("/v1/countries/GB/recommendation", params=asked)).json()

    assert told["primary_pool"] in {each["pool"] for each in told["facts"] if each["allowed"]}
    assert told["senders"] >= 1
    assert len(told["reasons"]) >= 3
    assert told["current"]["source"] == "instance"
    assert (told["use_case"], told["priority"]) == ("authenticate", "cost")
    assert {each["pool"] for each in told["facts"]} > {"GB", "US"}


async def test_a_recommendation_that_rests_on_no_messages_says_so_and_keeps_to_the_own_pool(account: Api) -> None:
    """Towards ES nothing was sent here; pools of other countries have the same sender on the same carrier."""
    told = (await account.client.get("/v1/countries/ES/recommendation")).json()

    assert (told["primary_pool"], told["known"]) == ("ES", "nothing")
    assert told["backup_pools"] == ["US"]
    assert any(each.startswith("how sure: nothing is known here") for each in told["reasons"])
    rules = told["sources"][0]
    assert (rules["source"], rules["sureness"]) == ("reference data: GET /v1/countries", "H (rule) / M (date)")
    assert rules["as_of"] == "2026-11-24"


async def test_what_is_recommended_can_be_set_as_the_policy(account: Api) -> None:
    told = (await account.client.get("/v1/countries/GB/recommendation", params={"use_case": "recover"})).json()
    names = ("primary_pool", "backup_pools", "mode", "receipt_wait_s", "verify_wait_s", "auto_resend")

    put = await account.client.put("/v1/routes/policies/GB", json={name: told[name] for name in names})

    assert put.status_code == 200, put.text


async def test_where_no_sender_may_be_used_nothing_is_recommended(stocked: Server) -> None:
    async with calling(stocked, environment=Environment.PRODUCTION) as api:
        answer = await api.client.get("/v1/countries/GB/recommendation")

    assert (answer.status_code, answer.json()["code"]) == (422, "no-route")


async def test_what_changes_routes_asks_for_admin(stocked: Server) -> None:
    async with calling(stocked, scopes=OWN_SCOPES - {Scope.ADMIN}) as api:
        put = await api.client.put("/v1/routes/policies/default", json={"allowed": False})

    assert (put.status_code, put.json()["scopes"]) == (403, ["admin"])


async def a_lease(api: Api, *, country: str = "GB", **terms: Any) -> dict[str, Any]:
    """Lease a number of the pool's."""
    body = {"country": country, "type": "long_code", **terms}
    answer = await api.client.post("/v1/numbers", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/numbers/{made['id']}"
    return made


async def do(api: Api, made: dict[str, Any], what: str, **body: Any) -> httpx2.Response:
    path = f"/v1/numbers/{made['id']}/{what}"
    return await (api.client.post(path, json=body) if what in {"release", "quarantine"} else api.client.post(path))


async def test_a_reserved_number_is_leased_and_ordered(account: Api) -> None:
    reserved = await a_reservation(account)

    answer = await account.client.post(
        "/v1/numbers", json={"number_id": reserved["id"], "period_days": 90, "auto_renew": False}
    )

    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert (made["id"], made["status"]) == (reserved["id"], "provisioning")
    assert (made["lease"]["use"], made["lease"]["period_days"], made["lease"]["auto_renew"]) == ("dedicated", 90, False)
    assert (await account.client.get(f"/v1/numbers/{made['id']}")).json() == made


async def test_a_lease_that_is_asked_for_twice_is_one(account: Api) -> None:
    for _ in range(2):
        await a_number(account.database, "CY")
    body, key = {"country": "CY", "type": "long_code"}, {"Idempotency-Key": "one-number"}

    first, again = [await account.client.post("/v1/numbers", json=body, headers=key) for _ in range(2)]
    other = await account.client.post("/v1/numbers", json={**body, "period_days": 7}, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_lease_is_changed_renewed_set_aside_put_back_and_given_back(account: Api) -> None:
    for _ in range(2):
        await a_number(account.database, "CZ")
    made = await a_lease(account, country="CZ")

    changed = await account.client.patch(f"/v1/numbers/{made['id']}", json={"auto_renew": False, "period_days": 7})
    renewed = await do(account, made, "renew")
    aside = await do(account, made, "quarantine", hours=2)
    back = await do(account, made, "restore")
    released = await do(account, made, "release")
    again = await do(account, made, "release")

    assert (changed.json()["lease"]["period_days"], changed.json()["lease"]["auto_renew"]) == (7, False)
    assert renewed.json()["lease"]["expires_at"] > made["lease"]["expires_at"]
    assert (aside.json()["status"], aside.json()["reason"]) == ("quarantined", "by_hand")
    assert back.json()["status"] == "leased"
    assert (released.json()["status"], released.json()["lease"]) == ("draining", None)
    assert (again.status_code, again.json()["code"], again.json()["number_status"]) == (409, "number-state", "draining")
    assert (await do(account, made, "renew")).json()["code"] == "lease-ended"


async def test_a_number_is_set_aside_for_a_day_and_given_back_without_a_body(account: Api) -> None:
    for _ in range(2):
        await a_number(account.database, "LV")
    path = f"/v1/numbers/{(await a_lease(account, country='LV'))['id']}"

    asked = datetime.now(tz=UTC)
    aside = await account.client.post(f"{path}/quarantine")
    await account.client.post(f"{path}/restore")
    released = await account.client.post(f"{path}/release")

    until = datetime.fromisoformat(aside.json()["until"])
    assert (aside.status_code, aside.json()["status"]) == (200, "quarantined")
    assert round((until - asked) / timedelta(hours=1)) == 24
    assert (released.status_code, released.json()["status"]) == (200, "draining")


@pytest.mark.parametrize("what", ["quarantine", "release"])
async def test_a_body_that_is_not_needed_is_read_where_it_is_there(account: Api, what: str) -> None:
    for _ in range(2):
        await a_number(account.database, "LT")
    made = await a_lease(account, country="LT")

    unknown, wrong = await do(account, made, what, days=1), await do(account, made, what, hours="1", drain=1)

    assert {(each.status_code, each.json()["code"]) for each in (unknown, wrong)} == {(422, "invalid-request")}
    assert "days" in unknown.json()["detail"]
    assert (await account.client.get(f"/v1/numbers/{made['id']}")).json() == made


async def test_a_number_is_replaced_by_another_of_its_pool(account: Api) -> None:
    for _ in range(3):
        await a_number(account.database, "DK")
    made = await a_lease(account, country="DK")

    new = await do(account, made, "rotate")
    none = await do(account, new.json(), "rotate")

    assert new.status_code == 200, new.text
    assert new.json()["id"] != made["id"]
    assert (none.status_code, none.json()["code"]) == (409, "pool-empty")
    assert (await account.client.get(f"/v1/numbers/{new.json()['id']}")).json() == new.json()


async def test_a_number_with_messages_under_way_is_in_use(account: Api) -> None:
    for _ in range(2):
        await a_number(account.database, "FI")
    made = await a_lease(account, country="FI")
    verification = await a_verification(account.database, account.caller, codes=0)
    await an_attempt(
        account.database, verification.id, sender=made["sender"], carrier=made["carrier"], pool_country="FI"
    )

    refused, drained = await do(account, made, "release"), await do(account, made, "release", drain=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "number-in-use")
    assert drained.json()["status"] == "draining"


async def test_the_last_number_that_everybody_sends_with_is_not_leased(account: Api) -> None:
    last = await a_number(account.database, "IS")

    refused = await account.client.post("/v1/numbers", json={"country": "IS", "type": "long_code"})
    async with account.database.reading() as connection:
        after = await find_number(connection, last.id, environment=last.environment)

    assert (refused.status_code, refused.json()["code"]) == (409, "pool-empty")
    assert refused.json()["sender_type"] == "long_code"
    assert after == last


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid-request"),
        ({"country": "GB"}, 422, "invalid-request"),
        ({"number_id": "num_1"}, 422, "invalid-request"),
        ({"number_id": f"num_{'0' * 32}"}, 404, "not-found"),
        ({"number_id": f"num_{'0' * 32}", "use": "pooled"}, 403, "insufficient-scope"),
        ({"country": "ZZ", "type": "long_code"}, 422, "unknown-country"),
        ({"country": "GR", "type": "short_code"}, 409, "pool-empty"),
        ({"country": "GB", "type": "alphanumeric"}, 422, "sender-not-allowed"),
        ({"country": "GB", "type": "long_code", "capabilities": ["fax"]}, 422, "invalid-request"),
        ({"country": "GB", "type": "long_code", "period_days": 0}, 422, "invalid-request"),
        ({"country": "GB", "type": "long_code", "period_days": 366}, 422, "invalid-request"),
    ],
)
async def test_a_lease_that_cannot_be_changes_nothing(
    account: Api, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await account.client.post("/v1/numbers", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await account.client.get("/v1/numbers")).json()["numbers"] == []


async def test_pools_are_rotated_by_who_runs_the_instance(account: Api, stocked: Server) -> None:
    for _ in range(2):
        await a_number(account.database, "HR")

    refused = await account.client.post("/v1/pools/HR/rotate")
    async with calling(stocked, scopes=EVERY_SCOPE) as operator:
        aside = await approved(stocked, operator.client, "POST", "/v1/pools/HR/rotate", None)
        last = await approved(stocked, operator.client, "POST", "/v1/pools/HR/rotate", None)
        empty = await approved(stocked, operator.client, "POST", "/v1/pools/HU/rotate", None)

    assert (refused.status_code, refused.json()["scopes"]) == (403, ["accounts"])
    assert (aside.status_code, aside.json()["status"], aside.json()["reason"]) == (200, "quarantined", "rotated")
    assert {each.json()["code"] for each in (last, empty)} == {"pool-empty"}
