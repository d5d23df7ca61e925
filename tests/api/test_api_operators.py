"""Operators through the API: invited, enrolled, signed in, stepped up, disabled; and everything that is refused."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from sqlalchemy import select, update

from domain.access import Role
from store.audit_tables import AuditRow
from store.operator_tables import OperatorInvitation, OperatorSession
from store.tables import table_of
from store.times import now_plus
from tests.api.serving import Api, Server, opened, running_api
from tests.people import PASSWORD, Person, a_session, acting_on, age_sessions, an_operator, signed_in

ENTRIES, INVITATION, SESSION = table_of(AuditRow), table_of(OperatorInvitation), table_of(OperatorSession)
FULL_WIDTH = {ord(digit): 0xFF10 + int(digit) for digit in "0123456789"}


@pytest.fixture
async def stranger(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(server) as client:
        yield client


def content_of(file: Path) -> bytes:
    """Return what stands in a SQLite file, and in what it has written ahead."""
    return file.read_bytes() + file.with_name(f"{file.name}-wal").read_bytes()


async def sign_in(client: httpx2.AsyncClient, person: Person, **changes: str) -> httpx2.Response:
    body = {"email": person.email, "password": PASSWORD, "code": person.code(), **changes}
    return await client.post("/v1/session", json=body)


async def actions_of(api: Api, subject: str) -> list[str]:
    """Return what the instance's trail says of an operator."""
    query = select(ENTRIES.c.action).where(ENTRIES.c.chain == "instance", ENTRIES.c.subject == subject)
    async with api.database.reading() as connection:
        return list((await connection.execute(query.order_by(ENTRIES.c.sequence))).scalars())


async def invited(api: Api, *, email: str, role: str = "compliance") -> dict[str, Any]:
    async with signed_in(api.server) as owner:
        answer = await owner.post("/v1/operators", json={"email": email, "name": "Grace", "role": role})
    assert answer.status_code == 201
    told: dict[str, Any] = answer.json()
    return told


async def test_an_invited_person_enrols_signs_in_steps_up_and_signs_out(api: Api, stranger: httpx2.AsyncClient) -> None:
    told = await invited(api, email="grace@example.com")
    accepted = await stranger.post(
        "/v1/operators/accept", json={"invitation": told["invitation"], "password": "correct horse battery"}
    )
    app = pyotp.parse_uri(accepted.json()["otpauth_uri"])
    assert isinstance(app, pyotp.TOTP)
    now = int(time.time()) // 30
    enrolled = await stranger.post(
        "/v1/operators/enrol", json={"invitation": told["invitation"], "code": app.generate_otp(now - 1)}
    )
    body = {"email": "GRACE@example.com", "password": "correct horse battery", "code": app.generate_otp(now)}
    session = await stranger.post("/v1/session", json=body)
    headers = {"Authorization": f"Bearer {session.json()['token']}"}
    read = await stranger.get("/v1/session", headers=headers)
    recovery = enrolled.json()["recovery_codes"]
    stepped = await stranger.post("/v1/session/step-up", json={"code": recovery[0]}, headers=headers)
    out = await stranger.delete("/v1/session", headers=headers)
    after = await stranger.get("/v1/session", headers=headers)

    assert (accepted.status_code, enrolled.status_code, session.status_code) == (200, 200, 201)
    assert {accepted.headers["cache-control"], enrolled.headers["cache-control"]} == {"no-store"}
    assert accepted.json()["qr_svg"].startswith("<svg")
    assert app.issuer == "Countersign"
    assert len(set(recovery)) == 10
    assert re.fullmatch(r"cs_ses_[0-9A-Za-z]{43}", session.json()["token"])
    assert (read.json()["role"], read.json()["address"]) == ("compliance", "127.0.0.1")
    assert stepped.json()["stepped_up_at"] >= session.json()["stepped_up_at"]
    assert out.status_code == 204
    assert (after.status_code, after.json()["code"]) == (401, "unauthenticated")
    assert await actions_of(api, told["operator"]["id"]) == [
        "operator.invited",
        "operator.enrolled",
        "operator.signed_in",
        "operator.stepped_up",
        "operator.signed_out",
    ]


async def test_neither_address_nor_secret_nor_token_stands_in_the_database(api: Api, server: Server) -> None:
    person = await an_operator(api.database)
    token = await a_session(api.database, person)
    told = await invited(api, email="nobody-reads-this@example.com")
    content = await asyncio.to_thread(content_of, Path(server.database_url.partition("///")[2]))

    for secret in (person.email, person.secret, token, told["invitation"], "nobody-reads-this", PASSWORD):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "a horse that somebody rides"},
        {"password": ""},
        {"code": ""},
        {"code": "12345"},
        {"code": "1234567"},
        {"code": " 12345"},
        {"code": "0000-0000-0000-0000"},
        {"email": "nobody@example.com"},
        {"email": "not an address"},
    ],
)
async def test_whatever_is_wrong_with_a_sign_in_it_is_answered_alike(
    api: Api, stranger: httpx2.AsyncClient, changes: dict[str, str]
) -> None:
    person = await an_operator(api.database)

    answer = await sign_in(stranger, person, **changes)

    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert (await sign_in(stranger, person)).status_code == 201


async def test_a_code_in_full_width_digits_is_refused_though_it_is_the_right_one(
    api: Api, stranger: httpx2.AsyncClient
) -> None:
    person = await an_operator(api.database)

    wide = await sign_in(stranger, person, code=person.code().translate(FULL_WIDTH))
    narrow = await sign_in(stranger, person)

    assert (wide.status_code, wide.json()["code"]) == (401, "sign-in-refused")
    assert narrow.status_code == 201


@pytest.mark.parametrize("field", ["code", "password", "email"])
async def test_a_hundred_kilobytes_are_refused_before_anything_is_compared(
    api: Api, stranger: httpx2.AsyncClient, field: str
) -> None:
    person = await an_operator(api.database)

    huge = await sign_in(stranger, person, **{field: "1" * 100_000})
    long = await sign_in(stranger, person, **{field: "1" * 1_000})

    assert (huge.status_code, huge.json()["code"]) == (413, "body-too-large")
    assert (long.status_code, long.json()["code"]) == (422, "invalid-request")
    assert (await sign_in(stranger, person)).status_code == 201


async def test_a_code_that_signed_in_does_not_step_up(api: Api, stranger: httpx2.AsyncClient) -> None:
    person = await an_operator(api.database)
    code = person.code()
    token = (await sign_in(stranger, person, code=code)).json()["token"]

    answer = await stranger.post(
        "/v1/session/step-up", json={"code": code}, headers={"Authorization": f"Bearer {token}"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "code-refused")


async def test_after_five_wrong_sign_ins_nothing_is_compared_and_an_open_session_goes_on(
    api: Api, stranger: httpx2.AsyncClient
) -> None:
    person = await an_operator(api.database)
    token = await a_session(api.database, person)

    wrong = [await sign_in(stranger, person, password="wrong one") for _ in range(5)]
    right = await sign_in(stranger, person)
    inside = await stranger.post(
        "/v1/session/step-up", json={"code": person.code()}, headers={"Authorization": f"Bearer {token}"}
    )

    assert {each.json()["code"] for each in wrong} == {"sign-in-refused"}
    assert (right.status_code, right.json()["code"]) == (429, "codes-throttled")
    assert 200 < int(right.headers["retry-after"]) <= 300
    assert inside.status_code == 200


async def test_unknown_addresses_are_throttled_as_known_ones_are(api: Api, stranger: httpx2.AsyncClient) -> None:
    person = await an_operator(api.database)

    codes = [(await sign_in(stranger, person, email="never-heard-of@example.com")).json()["code"] for _ in range(6)]

    assert codes == ["sign-in-refused"] * 5 + ["codes-throttled"]


async def test_an_invitation_ends_when_it_is_used_after_72_hours_and_when_there_is_a_newer_one(
    api: Api, stranger: httpx2.AsyncClient
) -> None:
    told = await invited(api, email="ended@example.com")
    body = {"invitation": told["invitation"], "password": "correct horse battery"}
    early = await stranger.post("/v1/operators/enrol", json={"invitation": told["invitation"], "code": "123456"})
    assert (await stranger.post("/v1/operators/accept", json=body)).status_code == 200
    async with signed_in(api.server) as owner:
        again = await owner.post(f"/v1/operators/{told['operator']['id']}/reset-factor")
    replaced = await stranger.post("/v1/operators/accept", json=body)
    async with api.database.transaction() as connection:
        await connection.execute(update(INVITATION).values(expires_at=now_plus(-1)))
    expired = await stranger.post("/v1/operators/accept", json={**body, "invitation": again.json()["invitation"]})
    garbage = await stranger.post("/v1/operators/accept", json={**body, "invitation": "cs_inv_x"})

    for each in (early, replaced, expired, garbage):
        assert (each.status_code, each.json()["code"]) == (410, "invitation-ended")


@pytest.mark.parametrize("password", ["short", "aaaabbbbaaaabbbb", "easy-to-guess@example", "x" * 11])
async def test_a_weak_password_is_refused_and_the_invitation_holds(
    api: Api, stranger: httpx2.AsyncClient, password: str
) -> None:
    told = await invited(api, email=f"easy-to-guess@{len(password)}-{password[0]}.example.com")
    weak = await stranger.post("/v1/operators/accept", json={"invitation": told["invitation"], "password": password})
    strong = await stranger.post(
        "/v1/operators/accept", json={"invitation": told["invitation"], "password": "correct horse battery"}
    )

    assert (weak.status_code, weak.json()["code"]) == (422, "weak-password")
    assert strong.status_code == 200


async def test_a_disabled_operator_is_out_at_once_and_cannot_sign_in(api: Api, stranger: httpx2.AsyncClient) -> None:
    person = await an_operator(api.database, role=Role.VIEWER)
    headers = {"Authorization": f"Bearer {await a_session(api.database, person)}"}
    path = f"/v1/operators/{person.actor.partition(':')[2]}"
    before = await stranger.get("/v1/session", headers=headers)
    async with signed_in(api.server) as owner:
        disabled = await owner.patch(path, json={"status": "disabled"})
        after = await stranger.get("/v1/session", headers=headers)
        refused = await sign_in(stranger, person)
        enabled = await owner.patch(path, json={"status": "active"})

    assert [before.status_code, after.status_code, refused.status_code] == [200, 401, 401]
    assert (disabled.json()["status"], enabled.json()["status"]) == ("disabled", "active")
    assert (await sign_in(stranger, person, code=person.code(steps=1))).status_code == 201


async def test_a_changed_role_holds_for_the_next_request(api: Api, stranger: httpx2.AsyncClient) -> None:
    person = await an_operator(api.database, role=Role.VIEWER)
    headers = {"Authorization": f"Bearer {await a_session(api.database, person)}"}
    before = await stranger.get("/v1/operators", headers=headers)
    async with signed_in(api.server) as owner:
        await owner.patch(f"/v1/operators/{person.actor.partition(':')[2]}", json={"role": "compliance"})

    after = await stranger.get("/v1/operators", headers=headers)

    assert (before.status_code, before.json()["code"]) == (403, "insufficient-scope")
    assert after.status_code == 200


@pytest.mark.parametrize("moved", [{"last_seen_at": -1801}, {"expires_at": -1}])
async def test_a_session_ends_after_half_an_hour_idle_and_after_half_a_day(
    api: Api, stranger: httpx2.AsyncClient, moved: dict[str, int]
) -> None:
    person = await an_operator(api.database)
    headers = {"Authorization": f"Bearer {await a_session(api.database, person)}"}
    async with api.database.transaction() as connection:
        await age_sessions(connection, person, **moved)

    assert (await stranger.get("/v1/session", headers=headers)).status_code == 401


async def test_a_session_that_is_used_goes_on(api: Api, stranger: httpx2.AsyncClient) -> None:
    person = await an_operator(api.database)
    headers = {"Authorization": f"Bearer {await a_session(api.database, person)}"}
    async with api.database.transaction() as connection:
        await age_sessions(connection, person, last_seen_at=-1790)
    assert (await stranger.get("/v1/session", headers=headers)).status_code == 200
    async with api.database.reading() as connection:
        query = select(SESSION.c.last_seen_at, now_plus(-60).label("a_minute_ago"))
        row = (await connection.execute(query.where(SESSION.c.operator_id == person.id))).one()

    assert row.last_seen_at > row.a_minute_ago


async def test_an_operator_says_on_which_account_they_act(api: Api) -> None:
    async with signed_in(api.server) as owner:
        nowhere = await owner.get("/v1/verifications")
        half = await owner.get(
            "/v1/verifications", headers={"Countersign-Account": acting_on(api)["Countersign-Account"]}
        )
        gone = await owner.get(
            "/v1/verifications", headers={**acting_on(api), "Countersign-Account": f"acc_{'0' * 32}"}
        )
        there = await owner.get("/v1/verifications", headers=acting_on(api))
        anywhere = await owner.get("/v1/me")
        me = await owner.get("/v1/me", headers=acting_on(api))
        send = await owner.post("/v1/verifications", headers=acting_on(api), json={"to": "+447400123456"})

    for each in (nowhere, half):
        assert (each.status_code, each.json()["code"]) == (422, "account-needed")
    assert gone.status_code == 404
    assert there.status_code == 200
    assert (anywhere.json()["account_id"], anywhere.json()["environment"]) == (None, None)
    assert me.json()["account_id"] == acting_on(api)["Countersign-Account"]
    assert me.json()["environment"] == "sandbox"
    assert (send.status_code, send.json()["code"]) == (403, "insufficient-scope")


async def test_a_key_cannot_act_on_another_account_by_a_header(api: Api) -> None:
    own = (await api.client.get("/v1/me")).json()

    told = (await api.client.get("/v1/me", headers={"Countersign-Account": f"acc_{'0' * 32}"})).json()

    assert told == own


async def test_a_compliance_officer_reads_the_instance_s_trail_and_an_account_s_and_a_viewer_only_the_latter(
    api: Api,
) -> None:
    async with signed_in(api.server, role=Role.COMPLIANCE) as officer:
        instance = await officer.get("/v1/audit", params={"limit": 100})
        exported = await officer.get("/v1/audit/export")
        account = await officer.get("/v1/audit", headers=acting_on(api))
    async with signed_in(api.server, role=Role.VIEWER) as viewer:
        refused = await viewer.get("/v1/audit")
        allowed = await viewer.get("/v1/audit", headers=acting_on(api))

    assert instance.status_code == 200
    assert json.loads(exported.text.splitlines()[-1])["chain"] == "instance"
    assert account.status_code == allowed.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient-scope")


async def test_operators_decode_payloads_with_their_login(api: Api) -> None:
    async with signed_in(api.server, role=Role.OPERATOR) as operator:
        allowed = await operator.post("/codec/decode", json={"payloads": []}, headers={"X-Namespace": "default"})
    async with signed_in(api.server, role=Role.VIEWER) as viewer:
        refused = await viewer.post("/codec/decode", json={"payloads": []}, headers={"X-Namespace": "default"})

    assert (allowed.status_code, refused.status_code) == (200, 403)


async def test_an_allowlist_keeps_others_out_and_is_refused_where_it_would_lock_out_its_setter(
    api: Api, stranger: httpx2.AsyncClient
) -> None:
    person = await an_operator(api.database)
    token = await a_session(api.database, person)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/operators/{person.actor.partition(':')[2]}"

    refused = await stranger.patch(path, json={"allowlist": ["203.0.113.0/24"]}, headers=headers)
    kept = await stranger.patch(path, json={"allowlist": ["127.0.0.0/8"]}, headers=headers)
    forced = await stranger.patch(path, json={"allowlist": ["203.0.113.0/24"], "allow_lockout": True}, headers=headers)
    out = await stranger.get("/v1/session", headers=headers)
    again = await sign_in(stranger, person)

    assert (refused.status_code, refused.json()["code"]) == (422, "allowlist-locks-out")
    assert (kept.status_code, forced.status_code) == (200, 200)
    for each in (out, again):
        assert (each.status_code, each.json()["code"]) == (403, "address-not-allowed")


@pytest.mark.parametrize(
    "changes",
    [{"password": "not the right one"}, {"code": "000000"}, {"code": "7777-7777-7777-7777"}, {"code": "none"}],
)
async def test_from_a_wrong_address_a_right_password_alone_is_answered_like_a_wrong_one(
    api: Api, stranger: httpx2.AsyncClient, changes: dict[str, str]
) -> None:
    person = await an_operator(api.database)
    token = await a_session(api.database, person)
    path = f"/v1/operators/{person.actor.partition(':')[2]}"
    body = {"allowlist": ["203.0.113.0/24"], "allow_lockout": True}
    assert (await stranger.patch(path, json=body, headers={"Authorization": f"Bearer {token}"})).status_code == 200

    answer = await sign_in(stranger, person, **changes)
    both = await sign_in(stranger, person)

    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")
    assert (both.status_code, both.json()["code"]) == (403, "address-not-allowed")


async def test_the_instance_s_allowlist_keeps_operators_out_and_keys_in(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("operators-allowlist")
    with running_api(home, operator_allowlist="203.0.113.0/24, 2001:db8::/32") as server:
        async with signed_in(server) as owner, opened(server) as stranger:
            session = await owner.get("/v1/session")
            signing = await stranger.post("/v1/session", json={"email": "a@example.com", "password": "x", "code": "1"})

    for each in (session, signing):
        assert (each.status_code, each.json()["code"]) == (403, "address-not-allowed")


async def test_a_failed_sign_in_is_in_the_trail_without_the_address_that_was_typed(
    api: Api, stranger: httpx2.AsyncClient
) -> None:
    person = await an_operator(api.database)
    for _ in range(3):
        await sign_in(stranger, person, password="wrong one")

    name, found = person.actor.partition(":")[2], list[str]()
    while not found:
        found = await actions_of(api, name)

    assert found == ["operator.sign_in_failed"]
