"""Authorisation as data: one row per operation. An application that has a route without a row does not start.

A row names the scopes of which a key or token needs one, the roles of people who may do the same, and whether the
operation is sensitive. `api/callers.py` holds it for every request, and the OpenAPI document tells it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from domain.access import EVERY_ROLE, GUARDIANS, RUNNERS, Access, Role, Scope
from domain.statuses import Environment

NOBODY: frozenset[Role] = frozenset()
OWNERS = frozenset({Role.OWNER})


def _for(*scopes: Scope, roles: frozenset[Role] = EVERY_ROLE, sensitive: bool = False) -> Access:
    return Access(scopes=frozenset(scopes), roles=roles, is_sensitive=sensitive)


def _of_instance(*scopes: Scope, roles: frozenset[Role] = EVERY_ROLE, sensitive: bool = False) -> Access:
    """Return a row of what is no account's own: an operator need not say on which account they act."""
    return replace(_for(*scopes, roles=roles, sensitive=sensitive), is_of_instance=True)


def _for_people(roles: frozenset[Role] = EVERY_ROLE, *, sensitive: bool = False) -> Access:
    return replace(_of_instance(roles=roles, sensitive=sensitive), is_for_people=True)


PUBLIC = Access(is_public=True)
KNOWN = _of_instance()

OPERATIONS: Mapping[str, Access] = {
    # Verifications. People do not send codes, nor type them.
    "start_verification": _for(Scope.VERIFICATIONS_WRITE, roles=NOBODY),
    "resend_code": _for(Scope.VERIFICATIONS_WRITE, roles=NOBODY),
    "check_code": _for(Scope.CHECKS_WRITE, roles=NOBODY),
    "cancel_verification": _for(Scope.VERIFICATIONS_WRITE, roles=RUNNERS),
    "unlock_number": _for(Scope.VERIFICATIONS_WRITE, roles=RUNNERS | GUARDIANS),
    "read_verification": _for(Scope.VERIFICATIONS_READ),
    "list_verifications": _for(Scope.VERIFICATIONS_READ),
    "read_verification_routing": _for(Scope.VERIFICATIONS_READ),
    # Events and webhooks. Where they are sent and what signs them is sensitive; a test and a replay go where they went.
    "list_events": _for(Scope.EVENTS_READ),
    "stream_events": _for(Scope.EVENTS_READ, roles=NOBODY),
    "list_webhooks": _for(Scope.WEBHOOKS),
    "read_webhook": _for(Scope.WEBHOOKS),
    "create_webhook": _for(Scope.WEBHOOKS, roles=RUNNERS, sensitive=True),
    "change_webhook": _for(Scope.WEBHOOKS, roles=RUNNERS, sensitive=True),
    "delete_webhook": _for(Scope.WEBHOOKS, roles=RUNNERS, sensitive=True),
    "rotate_webhook_secret": _for(Scope.WEBHOOKS, roles=RUNNERS, sensitive=True),
    "test_webhook": _for(Scope.WEBHOOKS, roles=RUNNERS),
    "replay_events": _for(Scope.WEBHOOKS, roles=RUNNERS),
    "list_deliveries": _for(Scope.WEBHOOKS),
    # Numbers, pools and routes. What costs money, and what changes the way of messages, is sensitive.
    "list_available_numbers": _for(Scope.NUMBERS_READ),
    "list_numbers": _for(Scope.NUMBERS_READ),
    "read_number": _for(Scope.NUMBERS_READ),
    "reserve_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS),
    "lease_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "renew_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "rotate_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "quarantine_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "restore_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "release_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "change_number": _for(Scope.NUMBERS_WRITE, roles=RUNNERS, sensitive=True),
    "list_pools": _for(Scope.NUMBERS_READ),
    "read_pool": _for(Scope.NUMBERS_READ),
    # A pool is everybody's who sends through it.
    "rotate_pool": _of_instance(Scope.ACCOUNTS, roles=RUNNERS, sensitive=True),
    "list_route_policies": _for(Scope.ROUTES),
    "read_route_policy": _for(Scope.ROUTES),
    "put_route_policy": _for(Scope.ROUTES, roles=RUNNERS, sensitive=True),
    "delete_route_policy": _for(Scope.ROUTES, roles=RUNNERS, sensitive=True),
    "recommend_routes": _for(Scope.ROUTES),
    "read_routes_health": _for(Scope.ROUTES),
    "explain_route": _for(Scope.ROUTES),
    # The sandbox.
    "read_outbox": _for(Scope.SANDBOX, roles=RUNNERS),
    "list_carriers": _for(Scope.SANDBOX, roles=RUNNERS),
    "script_carrier": _for(Scope.SANDBOX, roles=RUNNERS),
    "restore_carrier": _for(Scope.SANDBOX, roles=RUNNERS),
    # Accounts. Its own is shown to every key; the others, and every change, are for whom the instance belongs to.
    "create_account": _of_instance(Scope.ACCOUNTS, roles=RUNNERS, sensitive=True),
    "change_account": _of_instance(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS, sensitive=True),
    "read_account": KNOWN,
    "list_accounts": KNOWN,
    # The audit trail. What an export holds leaves the instance, so it is sensitive.
    "list_audit": _of_instance(Scope.AUDIT_READ),
    "export_audit": _of_instance(Scope.AUDIT_READ, roles=GUARDIANS, sensitive=True),
    "read_audit_key": KNOWN,
    # Payloads of workflows are of every account, so one's own admin is not enough.
    "decode_payloads": _of_instance(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS),
    "encode_payloads": _of_instance(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS),
    # A browser's way to the same: signed in to, and good for nothing else.
    "open_codec_session": PUBLIC,
    "close_codec_session": _for_people(),
    "read_caller": KNOWN,
    # Keys. To look is not sensitive; to make, change or end one is, and a key can give out only what it has itself.
    "list_keys": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS),
    "create_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "change_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "rotate_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "revoke_key": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS, sensitive=True),
    # Clients of the token endpoint are to keys what tokens are to them: the same power, lent for minutes.
    "list_clients": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS),
    "create_client": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "delete_client": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS, sensitive=True),
    # Who asks for a token proves it there; what is told of it all, and the public keys, are no secret.
    "issue_token": PUBLIC,
    "revoke_token": PUBLIC,
    "introspect_token": PUBLIC,
    "oauth_metadata": PUBLIC,
    "oauth_keys": PUBLIC,
    # Whoever finds a key may have it ended; it is no secret what one looks like.
    "report_leaked_key": PUBLIC,
    "read_key_pattern": PUBLIC,
    # People of the instance, how they sign in, and what they approve.
    # A machine that made people could approve its own requests with them.
    "invite_operator": _for_people(OWNERS, sensitive=True),
    "list_operators": _for_people(GUARDIANS),
    "change_operator": _for_people(OWNERS, sensitive=True),
    "reset_operator_factor": _for_people(OWNERS, sensitive=True),
    "accept_invitation": PUBLIC,
    "enrol_operator": PUBLIC,
    "sign_in": PUBLIC,
    "read_session": _for_people(),
    "step_up": _for_people(),
    "sign_out": _for_people(),
    "list_approvals": _of_instance(),
    "read_approval": _of_instance(),
    "approve_request": _for_people(RUNNERS | GUARDIANS, sensitive=True),
    "reject_request": _for_people(RUNNERS | GUARDIANS, sensitive=True),
    # What holds for everyone.
    "list_countries": KNOWN,
    "list_limits": KNOWN,
    # Health, pages, documents; and carriers, who prove themselves by their own signature.
    "livez": PUBLIC,
    "readyz": PUBLIC,
    "take_receipt": PUBLIC,
    "openapi": PUBLIC,
    "api_reference": PUBLIC,
    "problems_page": PUBLIC,
    "static_file": PUBLIC,
    "codec_sign_in_page": PUBLIC,
    "codec_script": PUBLIC,
}


_SESSION = "session"
# Of the document only: a session's token stands where a key does, and one look at the header finds either.
SESSION_SCHEME = {
    _SESSION: {
        "type": "http",
        "scheme": "bearer",
        "description": "An operator's session: `Authorization: Bearer cs_ses_…`, from `POST /v1/session`.",
    }
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }


ACCOUNT_HEADER, ENVIRONMENT_HEADER = "Countersign-Account", "Countersign-Environment"
APPROVAL_HEADER = "Countersign-Approval"
_ACTING_ON = (
    _header(ACCOUNT_HEADER, "`acc_…`: on which account an operator acts. A key has one of its own, and need not say."),
    _header(ENVIRONMENT_HEADER, f"In which of its environments: {' or '.join(sorted(Environment))}."),
)
_APPROVAL = _header(APPROVAL_HEADER, "`apr_…`: an operator's approval of exactly this request, where one is needed.")


class UnguardedRouteError(RuntimeError):
    """A route has no row, or its row and what it depends on say different things."""


def ensure_guarded(app: FastAPI, *, gate: Any) -> None:
    """Let an application start whose every route has a row, and passes the gate unless the row says that it is public.

    Raises:
        UnguardedRouteError: some route has none, or goes around the gate; the sentence names it.

    """
    for route in iter_route_contexts(app.routes):
        access = OPERATIONS.get(route.name or "")
        if access is None:
            raise UnguardedRouteError(f"{route.name} ({route.path}) has no row in api/authorisation.py")
        dependant: Dependant | None = getattr(route, "dependant", None)
        passes = dependant is not None and depends(dependant, gate)
        if passes == access.is_public:
            raise UnguardedRouteError(f"{route.name} ({route.path}) is public in one place and not in the other")


def describe(operation: dict[str, Any]) -> None:
    """Write what an operation asks for into its part of the OpenAPI document: alternatives, and `x-sensitive`.

    Of a scheme that is not OAuth2, the list in a requirement names the roles needed (OpenAPI 3.1): here, scopes.
    """
    access = OPERATIONS[operation["operationId"]]
    schemes = operation.pop("security", [])
    if access.is_public:
        return
    alternatives = [[scope.value] for scope in sorted(access.scopes)] or [[]]
    machines = [] if access.is_for_people else [name for each in schemes for name in each]
    operation["security"] = [{name: scopes} for name in machines for scopes in alternatives]
    operation["security"] += [{_SESSION: []}] if access.roles else []
    operation["x-roles"] = sorted(role.value for role in access.roles)
    if access.roles and not access.is_for_people:
        operation.setdefault("parameters", []).extend(_ACTING_ON)
    if access.is_sensitive:
        operation["x-sensitive"] = True
        if machines:
            operation.setdefault("parameters", []).append(_APPROVAL)


def depends(dependant: Dependant, call: Any) -> bool:
    """Say whether a route calls a dependency, at whatever depth."""
    return dependant.call is call or any(depends(each, call) for each in dependant.dependencies)
