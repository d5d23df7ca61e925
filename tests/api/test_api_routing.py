"""`GET /v1/verifications/{id}/routing`: why each attempt took its route."""

from tests.api.serving import Api
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
