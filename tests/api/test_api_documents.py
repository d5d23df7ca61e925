"""What the API says of itself: the OpenAPI document, the reference page, the problems, limits and countries."""

import re
from pathlib import Path
from typing import Any

import pytest

from domain.errors import DomainError
from runtime.settings import reference
from tests.api.serving import CODES, Api, opened

DOCS = Path(__file__).parents[2] / "docs"
V1 = {
    ("POST", "/v1/verifications"),
    ("GET", "/v1/verifications"),
    ("POST", "/v1/verifications/unlock"),
    ("GET", "/v1/verifications/{verification_id}"),
    ("GET", "/v1/verifications/{verification_id}/routing"),
    ("GET", "/v1/routes/health"),
    ("POST", "/v1/routes/explain"),
    ("POST", "/v1/verifications/{verification_id}/checks"),
    ("POST", "/v1/verifications/{verification_id}/resend"),
    ("POST", "/v1/verifications/{verification_id}/cancel"),
    ("GET", "/v1/sandbox/messages"),
    ("GET", "/v1/sandbox/carriers"),
    ("PUT", "/v1/sandbox/carriers/{carrier}"),
    ("DELETE", "/v1/sandbox/carriers/{carrier}"),
    ("POST", "/v1/accounts"),
    ("GET", "/v1/accounts"),
    ("GET", "/v1/accounts/{account_id}"),
    ("PATCH", "/v1/accounts/{account_id}"),
    ("GET", "/v1/audit"),
    ("POST", "/v1/operators"),
    ("GET", "/v1/operators"),
    ("PATCH", "/v1/operators/{operator_id}"),
    ("POST", "/v1/operators/{operator_id}/reset-factor"),
    ("POST", "/v1/operators/accept"),
    ("POST", "/v1/operators/enrol"),
    ("POST", "/v1/session"),
    ("GET", "/v1/session"),
    ("DELETE", "/v1/session"),
    ("POST", "/v1/session/step-up"),
    ("GET", "/v1/approvals"),
    ("GET", "/v1/approvals/{approval_id}"),
    ("POST", "/v1/approvals/{approval_id}/approve"),
    ("POST", "/v1/approvals/{approval_id}/reject"),
    ("GET", "/v1/audit/export"),
    ("GET", "/v1/audit/key"),
    ("GET", "/v1/me"),
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("GET", "/v1/keys/pattern"),
    ("POST", "/v1/keys/report-leak"),
    ("PATCH", "/v1/keys/{key_id}"),
    ("POST", "/v1/keys/{key_id}/rotate"),
    ("POST", "/v1/keys/{key_id}/revoke"),
    ("GET", "/v1/clients"),
    ("POST", "/v1/clients"),
    ("DELETE", "/v1/clients/{client_id}"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/stream"),
    ("GET", "/v1/webhooks"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks/{webhook_id}"),
    ("PATCH", "/v1/webhooks/{webhook_id}"),
    ("DELETE", "/v1/webhooks/{webhook_id}"),
    ("POST", "/v1/webhooks/{webhook_id}/rotate"),
    ("POST", "/v1/webhooks/{webhook_id}/test"),
    ("POST", "/v1/webhooks/{webhook_id}/replay"),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"),
    ("GET", "/v1/numbers"),
    ("POST", "/v1/numbers"),
    ("POST", "/v1/numbers/{number_id}/renew"),
    ("POST", "/v1/numbers/{number_id}/rotate"),
    ("POST", "/v1/numbers/{number_id}/quarantine"),
    ("POST", "/v1/numbers/{number_id}/restore"),
    ("POST", "/v1/numbers/{number_id}/release"),
    ("POST", "/v1/pools/{country}/rotate"),
    ("GET", "/v1/numbers/available"),
    ("POST", "/v1/numbers/reservations"),
    ("GET", "/v1/numbers/{number_id}"),
    ("PATCH", "/v1/numbers/{number_id}"),
    ("GET", "/v1/pools"),
    ("GET", "/v1/pools/{country}"),
    ("GET", "/v1/routes/policies"),
    ("GET", "/v1/routes/policies/{country}"),
    ("PUT", "/v1/routes/policies/{country}"),
    ("DELETE", "/v1/routes/policies/{country}"),
    ("GET", "/v1/countries"),
    ("GET", "/v1/countries/{country}/recommendation"),
    ("GET", "/v1/limits"),
}


async def openapi(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = (await api.client.get("/openapi.json")).json()
    return document


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_route_of_v1_is_documented_and_no_other(api: Api) -> None:
    documented = operations(await openapi(api))

    assert {each for each in documented if each[1].startswith("/v1")} == V1


async def test_every_refusal_is_documented_as_a_problem(api: Api) -> None:
    documented = operations(await openapi(api))

    refusals = [
        (route, status, answer.get("content", {}).keys())
        for route, operation in documented.items()
        for status, answer in operation["responses"].items()
        if route in V1 and int(status) >= 400
    ]

    assert refusals
    assert [each for each in refusals if list(each[2]) != ["application/problem+json"]] == []


async def test_operation_ids_are_the_functions_names_and_each_is_there_once(api: Api) -> None:
    names = [each["operationId"] for each in operations(await openapi(api)).values()]

    assert len(set(names)) == len(names)
    assert {"start_verification", "check_code", "resend_code", "cancel_verification"} <= set(names)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/keys/{key_id}/rotate",
        "/v1/numbers/{number_id}/quarantine",
        "/v1/numbers/{number_id}/release",
        "/v1/webhooks/{webhook_id}/rotate",
    ],
)
async def test_a_body_that_only_says_what_has_defaults_is_not_required(api: Api, path: str) -> None:
    body = api.server.openapi["paths"][path]["post"]["requestBody"]

    assert body["content"]["application/json"]
    assert not body.get("required", False)


async def test_the_problem_schema_lists_every_code(api: Api) -> None:
    schema = (await openapi(api))["components"]["schemas"]["Problem"]

    assert schema["properties"]["code"]["enum"] == sorted(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained_under_a_heading_of_its_own(code: str) -> None:
    page = (DOCS / "problems.md").read_text(encoding="utf-8")

    assert re.search(rf"^## {code}$", page, re.MULTILINE)


def test_no_code_is_explained_that_is_never_given() -> None:
    page = (DOCS / "problems.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE)) == set(CODES)


async def test_the_type_of_a_problem_leads_to_its_explanation(api: Api) -> None:
    told = (await api.start(to="x")).json()
    path, _, anchor = told["type"].partition("#")

    page = await api.client.get(path)

    assert page.status_code == 200
    assert f'id="{anchor}"' in page.text


@pytest.mark.parametrize("path", ["/", "/reference", "/docs/problems"])
async def test_a_page_asks_nobody_outside_for_anything(api: Api, path: str) -> None:
    async with opened(api.server) as stranger:
        page = await stranger.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", page.text) == []
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import", page.text) == []
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http:" not in policy
    assert "https:" not in policy
    assert "*" not in policy
    assert "'unsafe-eval'" not in policy


async def test_everything_the_reference_page_loads_is_here(api: Api) -> None:
    page = (await api.client.get("/reference")).text
    scripts = re.findall(r'src="([^"]+)"', page)

    answers = [await api.client.get(script) for script in scripts]

    assert len(scripts) == 2
    assert {(each.status_code, each.headers["content-type"].partition(";")[0]) for each in answers} == {
        (200, "text/javascript")
    }


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "vendor/scalar-1.46.4/LICENSE", "vendor", ""])
async def test_nothing_else_in_the_folder_can_be_named(api: Api, name: str) -> None:
    answer = await api.client.get(f"/static/{name}")

    assert answer.status_code == 404


async def test_the_limits_are_published(api: Api) -> None:
    told = (await api.client.get("/v1/limits")).json()

    assert told["number"]["seconds_between_sends"] == [30, 60, 120]
    assert told["number"]["sends"] == [{"count": 5, "per_s": 600}, {"count": 10, "per_s": 86_400}]
    assert told["checks"]["per_verification"] == 5
    assert told["api"] == {"requests_per_s": 10, "burst": 20, "body_bytes": 65_536}


async def test_the_countries_are_those_of_the_reference_data(api: Api) -> None:
    assert (await api.client.get("/v1/countries")).json() == reference("country_rules.json")


async def test_livez_and_readyz_need_no_key_and_say_which_part_is_not_ready(api: Api) -> None:
    async with opened(api.server) as stranger:
        lives = await stranger.get("/livez")
        ready = await stranger.get("/readyz")
        api.server.workflows.is_away = True
        not_ready = await stranger.get("/readyz")
        api.server.workflows.is_away = False

    assert lives.status_code == ready.status_code == 200
    assert ready.json() == {"status": "ready", "parts": {"database": "ok", "temporal": "ok"}}
    assert not_ready.status_code == 503
    assert not_ready.json()["parts"]["database"] == "ok"
    assert not_ready.json()["parts"]["temporal"].startswith("not ready")


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (418, "application/problem+json", {}),
        (404, "text/plain", None),
        (404, "application/problem+json", {"code": "not-found", "status": 400}),
        (404, "application/problem+json", {"code": "no-such-code", "status": 404}),
    ],
)
def test_the_gate_stops_an_answer_that_was_not_promised(
    api: Api, status: int, media_type: str, body: dict[str, Any] | None
) -> None:
    with pytest.raises((AssertionError, KeyError)):
        api.server.gate("POST", "/v1/verifications", status=status, media_type=media_type, body=body)


def test_every_kind_of_refusal_is_a_direct_child_of_the_base() -> None:
    # The documents list subclasses of the base; one below another would be left out.
    assert [each for kind in DomainError.__subclasses__() for each in kind.__subclasses__()] == []
