"""`POST /v1/verifications/{id}/checks`: the verdict, what is left, and what is said after the end."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from domain.ids import parse
from tests.api.serving import Api, calling, running_api
from tests.building import a_phone, code_of, pass_time, wrong_codes


async def started(api: Api, **body: object) -> tuple[str, UUID]:
    """Return a pending verification's public id, and what its codes are made from."""
    public = (await api.start(**{"to": a_phone(), **body})).json()["id"]
    row = parse(public, prefix="ver")
    assert row is not None
    return public, row


async def test_a_right_code_is_approved(api: Api) -> None:
    verification, row = await started(api)

    answer = await api.check(verification, code_of(row))

    told = answer.json()
    assert answer.status_code == 200
    assert set(told) == {"valid", "status", "checks_left", "verification"}
    assert (told["valid"], told["status"], told["checks_left"]) == (True, "approved", 0)
    assert told["verification"]["id"] == verification
    assert told["verification"]["reason"] == "code_proved"
    assert told["verification"]["finished_at"] is not None
    assert [each["proved"] for each in told["verification"]["attempts"]] == [True]


async def test_a_wrong_code_is_counted_and_the_last_one_ends_it(api: Api) -> None:
    verification, row = await started(api)

    answers = [(await api.check(verification, guess)).json() for guess in wrong_codes(row)[:5]]

    assert [each["valid"] for each in answers] == [False] * 5
    assert [each["checks_left"] for each in answers] == [4, 3, 2, 1, 0]
    assert [each["status"] for each in answers] == ["pending"] * 4 + ["max_attempts_reached"]
    assert answers[-1]["verification"]["reason"] == "too_many_wrong_codes"


async def test_after_the_last_wrong_one_even_the_right_code_is_told_that_it_is_finished(api: Api) -> None:
    verification, row = await started(api)
    for guess in wrong_codes(row)[:5]:
        await api.check(verification, guess)

    answer = await api.check(verification, code_of(row))

    told = answer.json()
    assert (answer.status_code, told["code"]) == (409, "verification-finished")
    assert (told["verification_status"], told["reason"]) == ("max_attempts_reached", "too_many_wrong_codes")
    assert told["finished_at"] == await finished_at(api, verification)


async def finished_at(api: Api, verification: str) -> str:
    told: str = (await api.client.get(f"/v1/verifications/{verification}")).json()["finished_at"]
    # The problem gives milliseconds, as clocks do.
    return told.replace("000Z", "Z")


async def test_the_right_code_again_answers_approved_again_and_counts_nothing(api: Api) -> None:
    verification, row = await started(api)

    answers = [await api.check(verification, code_of(row)) for _ in range(10)]

    assert {(each.status_code, each.json()["status"]) for each in answers} == {(200, "approved")}
    assert len({each.json()["verification"]["finished_at"] for each in answers}) == 1


async def test_a_wrong_code_after_the_approval_is_told_that_it_is_finished(api: Api) -> None:
    verification, row = await started(api)
    await api.check(verification, code_of(row))

    answer = await api.check(verification, wrong_codes(row)[0])

    assert (answer.status_code, answer.json()["verification_status"]) == (409, "approved")


async def test_the_right_code_after_the_lifetime_of_an_approval_is_told_that_it_is_finished(api: Api) -> None:
    verification, row = await started(api)
    await api.check(verification, code_of(row))
    await pass_time(api.database, api.caller, seconds=300)

    answer = await api.check(verification, code_of(row))

    assert (answer.status_code, answer.json()["verification_status"]) == (409, "approved")


async def test_an_expired_one_says_so_with_reason_and_time(api: Api) -> None:
    verification, row = await started(api)
    await pass_time(api.database, api.caller, seconds=301)

    answer = await api.check(verification, code_of(row))

    told = answer.json()
    assert answer.status_code == 409
    assert (told["verification_status"], told["reason"]) == ("expired", "deadline_passed")
    assert told["finished_at"] == await finished_at(api, verification)


@pytest.mark.parametrize("length", [4, 6, 8])
async def test_codes_have_the_length_that_was_asked_for(api: Api, length: int) -> None:
    verification, row = await started(api, code_length=length)

    short = await api.check(verification, "0" * 9)
    right = await api.check(verification, code_of(row, length=length))

    assert short.json()["valid"] is False
    assert right.json()["status"] == "approved"


async def test_100_wrong_codes_at_once_are_compared_five_times(api: Api) -> None:
    verification, row = await started(api)

    answers = await asyncio.gather(*(api.check(verification, guess) for guess in wrong_codes(row)[:100]))

    assert Counter(each.status_code for each in answers) == {200: 5, 409: 95}
    assert sum(each.json().get("status") == "max_attempts_reached" for each in answers) == 1


async def test_100_right_codes_at_once_are_all_approved_with_one_end(api: Api) -> None:
    verification, row = await started(api)

    answers = await asyncio.gather(*(api.check(verification, code_of(row)) for _ in range(100)))

    assert {each.json()["status"] for each in answers} == {"approved"}
    assert len({each.json()["verification"]["finished_at"] for each in answers}) == 1


async def test_the_workflow_is_told_how_it_ended(api: Api) -> None:
    verification, row = await started(api)

    await api.check(verification, code_of(row))

    assert [ended.status for told, ended in api.server.workflows.ended if told == row] == ["approved"]


async def test_a_number_that_failed_ten_times_must_wait_and_is_told_how_long(api: Api) -> None:
    phone = a_phone()
    for _ in range(2):
        verification, row = await started(api, to=phone)
        for guess in wrong_codes(row)[:5]:
            await api.check(verification, guess)
        await pass_time(api.database, api.caller, seconds=60)
    verification, row = await started(api, to=phone)
    await api.check(verification, wrong_codes(row)[0])

    answer = await api.check(verification, code_of(row))
    read = (await api.client.get(f"/v1/verifications/{verification}")).json()
    await pass_time(api.database, api.caller, seconds=60)
    later = await api.check(verification, code_of(row))

    told = answer.json()
    assert (answer.status_code, told["code"]) == (429, "check-too-soon")
    assert int(answer.headers["retry-after"]) == told["retry_after_s"] == pytest.approx(60, abs=1)
    assert told["next_check_at"]
    assert read["checks_left"] == 4
    assert later.json()["status"] == "approved"


async def test_an_account_out_of_wrong_checks_is_told_so_and_nothing_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_api(tmp_path_factory.mktemp("budget"), wrong_checks_per_hour=2) as server:
        async with calling(server) as api:
            verification, row = await started(api)
            for guess in wrong_codes(row)[:2]:
                await api.check(verification, guess)

            answer = await api.check(verification, code_of(row))
            left = (await api.client.get(f"/v1/verifications/{verification}")).json()["checks_left"]

    assert (answer.status_code, answer.json()["code"]) == (429, "check-budget-exhausted")
    assert 0 < int(answer.headers["retry-after"]) <= 3_600
    assert left == 3
