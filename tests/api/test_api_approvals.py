"""The two-person rule: what machines ask for in production waits for an operator, and works once, as it was asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from api.authorisation import OPERATIONS
from domain.access import EVERY_SCOPE, Role, Scope
from domain.statuses import Environment
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import table_of
from tests.api.operations import Operation, every_operation
from tests.api.serving import Api, Server, calling, opened
from tests.building import a_key
from tests.people import a_session, acting_on, an_operator, signed_in

# What a refusal may write: the request for approval, the trail, and when a session or a key was last seen.
WRITTEN = {"approval", "audit_entry", "audit_head", "audit_checkpoint", "key_sighting", "access_version"}
NEW_KEY = {"name": "ci", "scopes": ["checks:write"]}


@pytest.fixture
async def live(server: Server) -> AsyncIterator[Api]:
    """A machine in production, with every scope."""
    async with calling(server, environment=Environment.PRODUCTION, scopes=EVERY_SCOPE) as called:
        yield called


async def ask(live: Api, **body: Any) -> str:
    """Ask for a new key; return the approval's id."""
    answer = await live.client.post("/v1/keys", json={**NEW_KEY, **body})
    assert (answer.status_code, answer.json()["code"]) == (403, "approval-required")
    approval: str = answer.json()["approval_id"]
    return approval


async def decide(live: Api, approval: str, word: str = "approve", **who: Any) -> httpx2.Response:
    async with signed_in(live.server, **who) as operator:
        return await operator.post(f"/v1/approvals/{approval}/{word}")


async def use(live: Api, approval: str, *, path: str = "/v1/keys", **body: Any) -> httpx2.Response:
    return await live.client.post(path, json={**NEW_KEY, **body}, headers={"Countersign-Approval": approval})


def sensitive(api: Api) -> list[Operation]:
    found = [each for each in every_operation(api.server.openapi) if each.told.get("x-sensitive")]
    assert len(found) >= 15
    return found


async def state(database: Database) -> dict[str, list[Any]]:
    """Return what stands in every table that a refusal may not touch."""
    tables = [table for table in SQLModel.metadata.sorted_tables if table.name not in WRITTEN]
    async with database.reading() as connection:
        rows = {table.name: [tuple(row) for row in await connection.execute(select(table))] for table in tables}
    # When it was last used is noted beside requests.
    rows["api_key"] = [row[:11] + row[12:] for row in rows["api_key"]]
    return rows


async def test_no_sensitive_operation_begins_without_a_fresh_second_factor(api: Api) -> None:
    for each in sensitive(api):
        person = await an_operator(api.database, role=max(OPERATIONS[each.id].roles))
        headers = acting_on(api) | {
            "Authorization": f"Bearer {await a_session(api.database, person, stepped_up=False)}"
        }
        before = await state(api.database)
        async with opened(api.server, headers=headers) as operator:
            answer = await operator.request(each.method, each.path, headers={"Content-Type": "application/json"})

        assert (answer.status_code, answer.json()["code"]) == (401, "step-up-required"), each.id
        assert answer.headers["www-authenticate"] == (
            'Bearer realm="countersign", error="insufficient_user_authentication", '
            'error_description="A more recent second factor is required", '
            'acr_values="urn:countersign:acr:second-factor", max_age="300"'
        )
        assert await state(api.database) == before, each.id


async def test_no_sensitive_operation_begins_for_a_machine_in_production_without_an_approval(live: Api) -> None:
    for each in sensitive(live):
        before = await state(live.database)
        headers = {"Content-Type": "application/json"}
        plain = await live.client.request(each.method, each.path, headers=headers)
        made_up = await live.client.request(
            each.method, each.path, headers={**headers, "Countersign-Approval": f"apr_{'0' * 32}"}
        )

        is_for_people = OPERATIONS[each.id].is_for_people
        assert plain.json()["code"] == ("operators-only" if is_for_people else "approval-required"), each.id
        assert made_up.json()["code"] == ("operators-only" if is_for_people else "approval-refused"), each.id
        assert {plain.status_code, made_up.status_code} == {403}
        assert await state(live.database) == before, each.id


async def test_a_sandbox_needs_no_approval_for_its_own_and_one_for_what_is_the_instance_s(server: Server) -> None:
    async with calling(server, scopes=EVERY_SCOPE) as api:
        own = await api.client.post("/v1/keys", json=NEW_KEY)
        instance = await api.client.post("/v1/accounts", json={"name": "Globex"})

    assert own.status_code == 201
    assert (instance.status_code, instance.json()["code"]) == (403, "approval-required")


async def test_what_was_approved_works_once(live: Api) -> None:
    approval = await ask(live)
    early = await use(live, approval)
    decided = await decide(live, approval)
    answers = await asyncio.gather(*(use(live, approval) for _ in range(20)))

    assert (early.status_code, early.json()["code"]) == (403, "approval-required")
    assert early.json()["approval_id"] == approval
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    assert Counter(each.status_code for each in answers) == {201: 1, 403: 19}
    refused = next(each for each in answers if each.status_code == 403).json()
    assert (refused["code"], refused["approval_status"]) == ("approval-refused", "used")
    assert await trail(live) == ["approval.requested", "approval.approved", "approval.used", "key.created"]


async def trail(live: Api) -> list[str]:
    entries = table_of(AuditRow)
    query = select(entries.c.action).where(entries.c.chain == live.caller.account_id.hex).order_by(entries.c.sequence)
    async with live.database.reading() as connection:
        return list((await connection.execute(query)).scalars())


async def test_an_approval_is_for_one_body_path_operation_and_caller(live: Api) -> None:
    approval = await ask(live)
    assert (await decide(live, approval)).status_code == 200
    text, _ = await a_key(live.database, of=live.caller, environment=Environment.PRODUCTION, scopes=EVERY_SCOPE)

    other_body = await use(live, approval, name="another")
    other_query = await use(live, approval, path="/v1/keys?x=1")
    other_operation = await use(live, approval, path="/v1/keys/00000000/rotate")
    other_caller = await live.client.post(
        "/v1/keys", json=NEW_KEY, headers={"Countersign-Approval": approval, "Authorization": f"Bearer {text}"}
    )

    for each in (other_body, other_query, other_operation, other_caller):
        assert (each.status_code, each.json()["code"]) == (403, "approval-refused")
    assert other_caller.json()["approval_status"] is None
    assert (await use(live, approval)).status_code == 201


async def test_what_was_rejected_does_not_work_and_is_not_decided_twice(live: Api) -> None:
    approval = await ask(live)
    rejected = await decide(live, approval, "reject")
    again = await decide(live, approval)
    answer = await use(live, approval)

    assert rejected.json()["status"] == "rejected"
    assert (again.status_code, again.json()["code"]) == (409, "approval-decided")
    assert (answer.json()["code"], answer.json()["approval_status"]) == ("approval-refused", "rejected")
    assert await ask(live) != approval


async def test_the_operator_who_made_the_key_cannot_approve_what_it_asks(live: Api) -> None:
    person = await an_operator(live.database)
    headers = {"Authorization": f"Bearer {await a_session(live.database, person)}"}
    async with opened(live.server, headers=headers) as maker:
        made = await maker.post("/v1/keys", json={"scopes": ["keys", "admin"]}, headers=acting_on(live))
        asked = await live.client.post(
            "/v1/keys", json={"scopes": ["keys"]}, headers={"Authorization": f"Bearer {made.json()['key']}"}
        )
        own = await maker.post(f"/v1/approvals/{asked.json()['approval_id']}/approve")
    other = await decide(live, asked.json()["approval_id"])

    assert made.status_code == 201
    assert (own.status_code, own.json()["code"]) == (403, "self-approval")
    assert other.status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.COMPLIANCE])
async def test_a_role_that_may_not_do_it_may_not_approve_it(live: Api, role: Role) -> None:
    answer = await decide(live, await ask(live), role=role)

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")


async def test_an_approval_is_decided_by_people_with_a_fresh_second_factor(live: Api) -> None:
    approval = await ask(live)

    machine = await live.client.post(f"/v1/approvals/{approval}/approve")
    stale = await decide(live, approval, stepped_up=False)

    assert (machine.status_code, machine.json()["code"]) == (403, "operators-only")
    assert (stale.status_code, stale.json()["code"]) == (401, "step-up-required")


async def test_approvals_are_listed_for_who_asked_and_for_operators_and_shown_whole_to_who_decides(live: Api) -> None:
    approval = await ask(live)
    async with calling(live.server, environment=Environment.PRODUCTION, scopes=EVERY_SCOPE) as foreign:
        hidden = await foreign.client.get(f"/v1/approvals/{approval}")
        none = await foreign.client.get("/v1/approvals")
    own = await live.client.get("/v1/approvals", params={"status": "pending"})
    unseen = await live.client.get(f"/v1/approvals/{approval}")
    async with signed_in(live.server) as operator:
        everywhere = await operator.get("/v1/approvals")
        whole = await operator.get(f"/v1/approvals/{approval}")

    assert hidden.status_code == 404
    assert none.json() == {"approvals": []}
    assert [each["id"] for each in own.json()["approvals"]] == [approval]
    assert approval in {each["id"] for each in everywhere.json()["approvals"]}
    assert unseen.json()["body"] is None
    assert (whole.json()["operation"], whole.json()["path"]) == ("create_key", "/v1/keys")
    assert '"name":"ci"' in whole.json()["body"].replace(" ", "")


async def test_without_the_scope_admin_nothing_is_asked_for(server: Server) -> None:
    async with calling(server, environment=Environment.PRODUCTION, scopes=EVERY_SCOPE - {Scope.ADMIN}) as live:
        answer = await live.client.post("/v1/keys", json=NEW_KEY)

        assert (answer.status_code, answer.json()["scopes"]) == (403, ["admin"])
        assert (await live.client.get("/v1/approvals")).json() == {"approvals": []}


async def test_an_operation_without_a_body_is_approved_as_well(live: Api) -> None:
    text, caller = await a_key(live.database, of=live.caller, environment=Environment.PRODUCTION)
    path = f"/v1/keys/{caller.key_id}/revoke"
    asked = await live.client.post(path)
    await decide(live, asked.json()["approval_id"])

    answer = await live.client.post(path, headers={"Countersign-Approval": asked.json()["approval_id"]})

    assert answer.status_code == 200
    assert (await live.client.get("/v1/me", headers={"Authorization": f"Bearer {text}"})).status_code == 401
