"""`POST /v1/verifications`, `resend` and `cancel`: what they answer, and what they refuse."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.ids import parse
from store.attempts import attempts_of
from store.guards import add_failures
from tests.api.serving import Api, calling, running_api
from tests.building import FakeWorkflows, a_phone, accepted, code_of, number_key, pass_time
from tests.sandbox.serving import eventually

FIELDS = {
    "id",
    "status",
    "reason",
    "to",
    "country",
    "channel",
    "purpose",
    "reference",
    "created_at",
    "expires_at",
    "finished_at",
    "checks_left",
    "sends_left",
    "next_send_at",
    "resend_advised_at",
    "next_check_at",
    "attempts",
}
MOMENTS = {"created_at", "expires_at", "next_send_at", "resend_advised_at"}
EVERYTHING = {
    "to": "+447700900123",
    "channel": "sms",
    "purpose": "confirm_contact",
    "locale": "en",
    "brand": "ACME",
    "ttl_s": 300,
    "code_length": 6,
    "client_ip": "203.0.113.9",
    "reference": "signup-42",
}


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


async def test_a_start_answers_201_with_exactly_the_documented_fields(api: Api) -> None:
    answer = await api.start(**EVERYTHING)

    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/verifications/{told['id']}"
    assert set(told) == FIELDS
    assert parse(told["id"], prefix="ver") is not None
    assert {name: told[name] for name in FIELDS - MOMENTS - {"id"}} == {
        "status": "pending",
        "reason": None,
        "to": "+44••••••0123",
        "country": "GB",
        "channel": "sms",
        "purpose": "confirm_contact",
        "reference": "signup-42",
        "finished_at": None,
        "checks_left": 5,
        "sends_left": 4,
        "next_check_at": None,
        "attempts": [],
    }
    assert seconds_between(told["created_at"], told["expires_at"]) == 300
    assert seconds_between(told["created_at"], told["next_send_at"]) == pytest.approx(30, abs=1)
    assert seconds_between(told["created_at"], told["resend_advised_at"]) == pytest.approx(30, abs=1)
    assert told["created_at"].endswith("Z")


async def test_a_resend_is_advised_as_the_policy_s_wait_and_the_number_s_limits_have_it(api: Api) -> None:
    policy = {"primary_pool": "GB", "mode": "ordered", "verify_wait_s": 50}
    assert (await api.client.put("/v1/routes/policies/GB", json=policy)).status_code == 200
    started = (await api.start(to=a_phone())).json()

    read = (await api.client.get(f"/v1/verifications/{started['id']}")).json()
    await pass_time(api.database, api.caller, seconds=30)
    resent = (await api.client.post(f"/v1/verifications/{started['id']}/resend")).json()
    canceled = (await api.client.post(f"/v1/verifications/{started['id']}/cancel")).json()

    (attempt,) = read["attempts"]
    assert seconds_between(started["created_at"], started["resend_advised_at"]) == pytest.approx(50, abs=1)
    assert seconds_between(attempt["answered_at"], read["resend_advised_at"]) == 50
    # The second gap is longer than the wait.
    assert resent["resend_advised_at"] == resent["next_send_at"]
    assert canceled["resend_advised_at"] is None


async def test_no_resend_is_advised_that_would_come_after_the_end(api: Api) -> None:
    started = (await api.start(to=a_phone(), ttl_s=60)).json()
    await pass_time(api.database, api.caller, seconds=30)

    resent = (await api.client.post(f"/v1/verifications/{started['id']}/resend")).json()

    assert resent["next_send_at"] is not None
    assert resent["resend_advised_at"] is None


async def test_only_the_number_is_required(api: Api) -> None:
    answer = await api.start(to=a_phone())

    assert answer.status_code == 201
    assert answer.json()["purpose"] == "confirm_contact"


async def test_a_brand_is_the_account_s_name_unless_the_start_says_otherwise(api: Api) -> None:
    phone = a_phone()
    await api.start(to=phone)

    texts = [each.text for each in api.server.outbox.messages if each.to == phone]

    assert len(texts) == 1
    assert "your ACME code" in texts[0]


async def test_the_code_in_the_message_is_the_code_that_is_approved(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    code = next(each.text for each in api.server.outbox.messages if each.to == phone)[:6]

    answer = await api.check(verification, code)

    assert answer.json()["status"] == "approved"


async def test_a_read_shows_the_attempts(api: Api) -> None:
    verification = (await api.start(to=a_phone())).json()["id"]

    told = (await api.client.get(f"/v1/verifications/{verification}")).json()

    attempt = told["attempts"][0]
    assert set(told) == FIELDS
    assert {name: attempt[name] for name in ("number", "send", "carrier", "pool_country", "sender", "status")} == {
        "number": 1,
        "send": 1,
        "carrier": "alpha",
        "pool_country": "GB",
        "sender": "Countersign",
        "status": "accepted",
    }
    assert attempt["reason"] == "first route of pool GB"
    assert attempt["failure_class"] is None
    assert attempt["planned_at"] <= attempt["submitted_at"] <= attempt["answered_at"]
    assert parse(attempt["id"], prefix="att") is not None


async def test_a_start_while_one_is_pending_is_too_soon_and_says_when(api: Api) -> None:
    phone = a_phone()
    first = (await api.start(to=phone)).json()

    answer = await api.start(to=phone)

    told = answer.json()
    assert answer.status_code == 429
    assert told["code"] == "too-soon"
    assert told["sends_left"] == 4
    assert 1 <= int(answer.headers["retry-after"]) == told["retry_after_s"] <= 30
    assert seconds_between(first["next_send_at"], told["next_send_at"]) == pytest.approx(0, abs=0.01)
    assert await api.count() == 1


async def test_a_start_after_the_gap_is_a_resend_of_the_pending_one(api: Api) -> None:
    phone = a_phone()
    first = (await api.start(to=phone)).json()
    await api.check(first["id"], "000000")
    await pass_time(api.database, api.caller, seconds=30)

    answer = await api.start(to=phone, reference="another")

    told = answer.json()
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert (told["id"], told["checks_left"], told["sends_left"]) == (first["id"], 4, 3)
    assert told["reference"] is None
    assert await api.count() == 1
    assert len([each for each in api.server.outbox.messages if each.to == phone]) == 2


async def test_a_resend_takes_another_route_and_another_code(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    await pass_time(api.database, api.caller, seconds=30)

    answer = await api.client.post(f"/v1/verifications/{verification}/resend")

    attempts = (await api.client.get(f"/v1/verifications/{verification}")).json()["attempts"]
    codes = [each.text[:6] for each in api.server.outbox.messages if each.to == phone]
    assert answer.status_code == 200
    assert [(each["number"], each["send"], each["carrier"]) for each in attempts] == [(1, 1, "alpha"), (2, 2, "bravo")]
    assert len(set(codes)) == 2
    assert (await api.check(verification, codes[0])).json()["status"] == "approved"


async def test_a_resend_too_soon_changes_nothing(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]

    answer = await api.client.post(f"/v1/verifications/{verification}/resend")

    assert (answer.status_code, answer.json()["code"]) == (429, "too-soon")
    assert len([each for each in api.server.outbox.messages if each.to == phone]) == 1


async def test_a_finished_one_is_not_sent_again_but_may_be_started_anew(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    await api.client.post(f"/v1/verifications/{verification}/cancel")
    await pass_time(api.database, api.caller, seconds=30)

    resent = await api.client.post(f"/v1/verifications/{verification}/resend")
    anew = await api.start(to=phone)

    assert (resent.status_code, resent.json()["verification_status"]) == (409, "canceled")
    assert anew.status_code == 201
    assert anew.json()["id"] != verification


async def test_after_five_messages_the_number_has_had_enough_for_ten_minutes(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone, ttl_s=600)).json()["id"]
    for wait_s in (30, 60, 120, 120):
        await pass_time(api.database, api.caller, seconds=wait_s)
        assert (await api.client.post(f"/v1/verifications/{verification}/resend")).status_code == 200

    await pass_time(api.database, api.caller, seconds=120)
    answer = await api.client.post(f"/v1/verifications/{verification}/resend")

    told = answer.json()
    assert (answer.status_code, told["code"], told["sends_left"]) == (429, "number-limit", 0)
    assert told["retry_after_s"] == pytest.approx(600 - 450, abs=2)
    assert datetime.fromisoformat(told["next_send_at"]) > datetime.now(UTC)


async def test_a_cancellation_ends_it_and_its_codes_are_worth_nothing(api: Api) -> None:
    told = (await api.start(to=a_phone())).json()
    row = parse(told["id"], prefix="ver")
    assert row is not None

    canceled = await api.client.post(f"/v1/verifications/{told['id']}/cancel")

    again = await api.client.post(f"/v1/verifications/{told['id']}/cancel")
    checked = await api.check(told["id"], code_of(row))
    assert canceled.status_code == 200
    assert {name: canceled.json()[name] for name in ("status", "reason", "checks_left", "sends_left")} == {
        "status": "canceled",
        "reason": "canceled_by_account",
        "checks_left": 0,
        "sends_left": 0,
    }
    assert (again.status_code, again.json()["code"]) == (409, "verification-finished")
    assert (checked.status_code, checked.json()["reason"]) == (409, "canceled_by_account")


async def test_an_overdue_one_is_told_as_expired_before_anybody_concluded_it(api: Api) -> None:
    told = (await api.start(to=a_phone())).json()

    await pass_time(api.database, api.caller, seconds=300)

    read = (await api.client.get(f"/v1/verifications/{told['id']}")).json()
    canceled = await api.client.post(f"/v1/verifications/{told['id']}/cancel")
    assert (read["status"], read["reason"], read["checks_left"]) == ("expired", "deadline_passed", 0)
    assert read["finished_at"] == read["expires_at"]
    assert (canceled.status_code, canceled.json()["verification_status"]) == (409, "expired")


async def test_a_locked_number_is_told_until_when_and_can_be_unlocked(api: Api) -> None:
    phone = a_phone()
    verification = (await api.start(to=phone)).json()["id"]
    await api.client.post(f"/v1/verifications/{verification}/cancel")
    async with api.database.transaction() as connection:
        await add_failures(connection, number_key(api.caller, to=phone), more=30, until=None, cap=30)
    await pass_time(api.database, api.caller, seconds=30)

    locked = await api.start(to=phone)
    unlocked = await api.client.post("/v1/verifications/unlock", json={"to": phone})
    anew = await api.start(to=phone)

    assert (locked.status_code, locked.json()["code"]) == (429, "number-locked")
    assert datetime.fromisoformat(locked.json()["locked_until"]) > datetime.now(UTC)
    assert unlocked.json() == {"unlocked": True}
    assert (anew.status_code, anew.json()["checks_left"]) == (201, 5)


async def test_a_verification_that_nobody_concluded_for_days_does_not_stand_in_the_way(api: Api) -> None:
    phone = a_phone()
    forgotten = (await api.start(to=phone)).json()["id"]

    await pass_time(api.database, api.caller, seconds=3 * 86_400)
    anew = await api.start(to=phone)

    assert anew.status_code == 201
    assert (await api.client.get(f"/v1/verifications/{forgotten}")).json()["status"] == "expired"


async def test_unlocking_a_number_nothing_is_known_of_says_so(api: Api) -> None:
    answer = await api.client.post("/v1/verifications/unlock", json={"to": a_phone()})

    assert (answer.status_code, answer.json()) == (200, {"unlocked": False})


async def test_prefer_wait_answers_with_the_first_submission(tmp_path: Path) -> None:
    workflows = FakeWorkflows()
    with running_api(tmp_path, workflows=workflows) as server:
        async with calling(server) as api:
            waiting = asyncio.create_task(
                api.client.post("/v1/verifications", json={"to": a_phone()}, headers={"Prefer": "wait=10"})
            )
            await eventually(lambda: bool(workflows.started))
            assert not waiting.done()

            await accept(api, workflows)

            answer = await waiting
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=10"
    assert [each["status"] for each in answer.json()["attempts"]] == ["accepted"]


async def accept(api: Api, workflows: FakeWorkflows) -> None:
    """Do what a worker would: hand the first message over."""
    async with api.database.transaction() as connection:
        (attempt,) = await attempts_of(connection, workflows.started[0].verification_id)
    await accepted(api.database, attempt.id)


async def test_prefer_wait_answers_when_its_seconds_are_over(tmp_path: Path) -> None:
    with running_api(tmp_path, workflows=FakeWorkflows()) as server:
        async with calling(server) as api:
            answer = await api.client.post("/v1/verifications", json={"to": a_phone()}, headers={"Prefer": "wait=1"})

    assert answer.status_code == 201
    assert [each["status"] for each in answer.json()["attempts"]] == ["planned"]


async def test_another_account_sees_and_changes_nothing(api: Api) -> None:
    verification = (await api.start(to=a_phone())).json()["id"]
    async with calling(api.server) as other:
        answers = [
            await other.client.get(f"/v1/verifications/{verification}"),
            await other.check(verification, "000000"),
            await other.client.post(f"/v1/verifications/{verification}/resend"),
            await other.client.post(f"/v1/verifications/{verification}/cancel"),
        ]
        listed = await other.count()

    assert [each.status_code for each in answers] == [404] * 4
    assert {each.json()["code"] for each in answers} == {"not-found"}
    assert listed == 0


async def test_the_same_number_is_another_matter_for_another_account(api: Api) -> None:
    phone = a_phone()
    first = await api.start(to=phone)
    async with calling(api.server) as other:
        second = await other.start(to=phone)

    assert (first.status_code, second.status_code) == (201, 201)
