"""Why attempts took their routes, which one would be taken now, and how routes fare."""

import pytest

from activities.pool_health import PoolHealthActivities
from domain.access import EVERY_SCOPE
from domain.ids import number_id
from rules.routing.learning import Health
from rules.routing.proportions import Share
from tests.activities.test_pool_health import a_record, a_route, judge, known_as
from tests.activities.test_routes_from_pools import a_sender, know, lend
from tests.api.serving import Api, calling
from tests.building import a_phone


async def test_a_verification_s_routing_says_what_was_there_and_what_was_taken(api: Api) -> None:
    started = (await api.start(to=a_phone())).json()

    answer = await api.client.get(f"/v1/verifications/{started['id']}/routing")

    told = answer.json()
    assert answer.status_code == 200
    assert told["verification_id"] == started["id"]
    (attempt,) = told["attempts"]
    assert (attempt["number"], attempt["reason"]) == (1, "first route of pool GB")
    choice = attempt["choice"]
    assert (choice["mode"], choice["degraded"], choice["removed"]) == ("ordered", False, [])
    assert choice["ranked"][0]["route"] == "alpha/GB/Countersign/sms"
    assert [each["route"].split("/")[0] for each in choice["ranked"]] == ["alpha", "bravo", "charlie", "delta"]


async def test_of_no_verification_of_the_account_s_nothing_is_told(api: Api) -> None:
    answer = await api.client.get(f"/v1/verifications/ver_{'0' * 32}/routing")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_a_dry_run_says_which_route_would_be_taken_and_sends_nothing(api: Api) -> None:
    answer = await api.client.post("/v1/routes/explain", json={"to": a_phone()})

    told = answer.json()
    assert answer.status_code == 200
    assert (told["country"], told["mode"], told["route"]) == ("GB", "ordered", "alpha/GB/Countersign/sms")
    assert told["reason"] == "first route of pool GB"
    assert told["choice"]["ranked"][0]["route"] == told["route"]
    assert await api.count() == 0


async def test_a_dry_run_to_a_number_that_is_none_is_refused(api: Api) -> None:
    answer = await api.client.post("/v1/routes/explain", json={"to": "+44"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-number")


async def test_the_routes_of_a_country_are_told_with_what_was_decided(api: Api) -> None:
    country = "GB"
    name = f"alpha/{country}/long_code/sms"
    fallen = Health(baseline=Share(850, 1000), recent="f" * 40 + "p" * 10)
    await know(api.database, name, country, fallen)
    await PoolHealthActivities(database=api.database).judge_pools()

    answer = await api.client.get("/v1/routes/health", params={"country": country})
    elsewhere = await api.client.get("/v1/routes/health", params={"country": "FR"})

    (route,), (decision,) = answer.json()["routes"], answer.json()["decisions"]
    assert (route["group"], route["breaker"], route["demoted_for"]) == (name, "closed", "conversion_fell")
    assert (decision["kind"], decision["subject"]) == ("route.demoted", name)
    assert decision["evidence"]["seen_of_1000"] == 200
    assert elsewhere.json() == {"routes": [], "connections": [], "decisions": []}


@pytest.mark.parametrize("is_alone", [True, False])
async def test_what_was_decided_about_a_number_that_an_account_has_alone_is_its_and_the_instance_s_business(
    api: Api, *, is_alone: bool
) -> None:
    country, _ = await a_route(api.database, Health())
    number = await a_sender(api.database, country)
    if is_alone:
        await lend(api.database, number, api.caller)
    await known_as(api.database, number, a_record(blocked=40))
    await judge(api.database)

    async def sees(who: Api) -> bool:
        told = (await who.client.get("/v1/routes/health")).json()["decisions"]
        return number_id(number.id) in {each["subject"] for each in told}

    async with calling(api.server) as other, calling(api.server, scopes=EVERY_SCOPE) as operator:
        assert (await sees(api), await sees(other), await sees(operator)) == (True, not is_alone, True)
