"""Authorisation as data: every operation has a row, the document tells it, and every request is held to it."""

from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from api import authorisation
from api.authorisation import OPERATIONS, UnguardedRouteError, ensure_guarded
from domain.access import EVERY_SCOPE, Access, Role, Scope
from domain.errors import InsufficientScopeError
from rules.access import ensure_allowed
from tests.api.operations import STREAMS, Operation, every_operation
from tests.api.serving import Api, calling
from tests.building import a_caller

SOME = frozenset({Scope.AUDIT_READ})


def guarded(api: Api) -> list[Operation]:
    """Return the operations that ask for a scope."""
    found = [each for each in every_operation(api.server.openapi) if OPERATIONS[each.id].scopes]
    assert len(found) >= 13
    return found


async def test_without_its_scope_no_operation_begins(api: Api) -> None:
    for each in guarded(api):
        access = OPERATIONS[each.id]
        async with calling(api.server, scopes=EVERY_SCOPE - access.scopes) as called:
            answer = await called.client.request(each.method, each.path)

        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope"), each.id
        scope = " ".join(sorted(access.scopes))
        assert answer.headers["www-authenticate"] == (
            f'Bearer realm="countersign", error="insufficient_scope", scope="{scope}"'
        )


async def test_each_of_its_scopes_opens_an_operation_that_is_not_sensitive(api: Api) -> None:
    for each in guarded(api):
        access = OPERATIONS[each.id]
        for scope in () if access.is_sensitive or each.id in STREAMS else access.scopes:
            async with calling(api.server, scopes=frozenset({scope})) as called:
                answer = await called.client.request(each.method, each.path, headers=each.headers)

            assert answer.status_code not in {401, 403}, (each.id, scope)


async def test_a_sensitive_operation_needs_the_scope_admin_as_well(api: Api) -> None:
    sensitive = [each for each in guarded(api) if OPERATIONS[each.id].is_sensitive]
    for each in sensitive:
        async with calling(api.server, scopes=EVERY_SCOPE - {Scope.ADMIN}) as called:
            answer = await called.client.request(each.method, each.path)

        assert (answer.status_code, answer.json()["scopes"]) == (403, ["admin"]), each.id

    assert {"create_account", "change_account"} <= {each.id for each in sensitive}


async def test_the_document_tells_scopes_roles_and_what_is_sensitive(api: Api) -> None:
    for each in every_operation(api.server.openapi):
        access = OPERATIONS[each.id]
        alternatives = each.told.get("security", [])
        assert each.told.get("x-sensitive", False) is access.is_sensitive, each.id
        if access.is_public:
            assert alternatives == [], each.id
        else:
            keys = [one for one in alternatives if "key" in one]
            people: list[dict[str, list[str]]] = [{"session": []}] if access.roles else []
            assert {scope for one in keys for scope in one["key"]} == access.scopes, each.id
            assert len(keys) == (0 if access.is_for_people else max(1, len(access.scopes))), each.id
            assert [one for one in alternatives if "key" not in one] == people, each.id
            assert set(each.told["x-roles"]) == access.roles, each.id


def app_with(**routes: Any) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for name, endpoint in routes.items():
        app.get(f"/{name}", name=name)(endpoint)
    return app


async def gate() -> str:
    return "passed"


async def open_to_all() -> None: ...


async def behind_the_gate(passed: Annotated[str, Depends(gate)]) -> None: ...


def test_an_application_with_a_route_that_has_no_row_does_not_start() -> None:
    with pytest.raises(UnguardedRouteError, match="forgotten"):
        ensure_guarded(app_with(forgotten=behind_the_gate), gate=gate)


def test_a_route_that_goes_around_the_gate_is_noticed() -> None:
    with pytest.raises(UnguardedRouteError, match="list_limits"):
        ensure_guarded(app_with(list_limits=open_to_all), gate=gate)


def test_a_public_row_over_a_guarded_route_is_noticed() -> None:
    with pytest.raises(UnguardedRouteError, match="livez"):
        ensure_guarded(app_with(livez=behind_the_gate), gate=gate)


def test_routes_that_fit_their_rows_start() -> None:
    ensure_guarded(app_with(livez=open_to_all, list_limits=behind_the_gate), gate=gate)


def test_every_row_belongs_to_a_route(api: Api) -> None:
    pages = {"openapi", "api_reference", "problems_page", "static_file", "codec_sign_in_page", "codec_script"}

    assert {each.id for each in every_operation(api.server.openapi)} | pages == set(authorisation.OPERATIONS)


@pytest.mark.parametrize("role", Role)
async def test_a_role_opens_what_names_it_and_nothing_else(api: Api, role: Role) -> None:
    person = replace(await a_caller(api.database), role=role)
    for access in OPERATIONS.values():
        if access.is_public or role in access.roles:
            ensure_allowed(person, access)
        else:
            with pytest.raises(InsufficientScopeError):
                ensure_allowed(person, access)


async def test_a_caller_without_role_or_scope_may_do_what_asks_for_none(api: Api) -> None:
    nobody = await a_caller(api.database)

    ensure_allowed(nobody, Access())

    with pytest.raises(InsufficientScopeError):
        ensure_allowed(nobody, Access(scopes=SOME))
