"""Authorisation as data: one row per operation. An application that has a route without a row does not start.

A row names the scopes of which a key or token needs one, the roles of people who may do the same, and whether the
operation is sensitive. `api/callers.py` holds it for every request, and the OpenAPI document tells it.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from domain.access import EVERY_ROLE, Access, Role, Scope

NOBODY: frozenset[Role] = frozenset()
# Who keeps the service running; and who answers for it.
RUNNERS = frozenset({Role.OPERATOR, Role.OWNER})
GUARDIANS = frozenset({Role.COMPLIANCE, Role.OWNER})


def _for(*scopes: Scope, roles: frozenset[Role] = EVERY_ROLE, sensitive: bool = False) -> Access:
    return Access(scopes=frozenset(scopes), roles=roles, is_sensitive=sensitive)


PUBLIC = Access(is_public=True)
KNOWN = _for()

OPERATIONS: Mapping[str, Access] = {
    # Verifications. People do not send codes, nor type them.
    "start_verification": _for(Scope.VERIFICATIONS_WRITE, roles=NOBODY),
    "resend_code": _for(Scope.VERIFICATIONS_WRITE, roles=NOBODY),
    "check_code": _for(Scope.CHECKS_WRITE, roles=NOBODY),
    "cancel_verification": _for(Scope.VERIFICATIONS_WRITE, roles=RUNNERS),
    "unlock_number": _for(Scope.VERIFICATIONS_WRITE, roles=RUNNERS | GUARDIANS),
    "read_verification": _for(Scope.VERIFICATIONS_READ),
    "list_verifications": _for(Scope.VERIFICATIONS_READ),
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
    # The sandbox.
    "read_outbox": _for(Scope.SANDBOX, roles=RUNNERS),
    "list_carriers": _for(Scope.SANDBOX, roles=RUNNERS),
    "script_carrier": _for(Scope.SANDBOX, roles=RUNNERS),
    "restore_carrier": _for(Scope.SANDBOX, roles=RUNNERS),
    # Accounts. Its own is shown to every key; the others, and every change, are for whom the instance belongs to.
    "create_account": _for(Scope.ACCOUNTS, roles=RUNNERS, sensitive=True),
    "change_account": _for(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS, sensitive=True),
    "read_account": KNOWN,
    "list_accounts": KNOWN,
    # The audit trail. What an export holds leaves the instance, which is recorded.
    "list_audit": _for(Scope.AUDIT_READ),
    "export_audit": _for(Scope.AUDIT_READ, roles=GUARDIANS),
    "read_audit_key": KNOWN,
    # Payloads of workflows are of every account, so one's own admin is not enough.
    "decode_payloads": _for(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS),
    "encode_payloads": _for(Scope.ACCOUNTS, roles=RUNNERS | GUARDIANS),
    "read_caller": KNOWN,
    # Keys. To look is not sensitive; to make, change or end one is, and a key can give out only what it has itself.
    "list_keys": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS),
    "create_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "change_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "rotate_key": _for(Scope.KEYS, roles=RUNNERS, sensitive=True),
    "revoke_key": _for(Scope.KEYS, roles=RUNNERS | GUARDIANS, sensitive=True),
    # Whoever finds a key may have it ended; it is no secret what one looks like.
    "report_leaked_key": PUBLIC,
    "read_key_pattern": PUBLIC,
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
}


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
    operation["security"] = [{name: scopes} for each in schemes for name in each for scopes in alternatives]
    operation["x-roles"] = sorted(role.value for role in access.roles)
    if access.is_sensitive:
        operation["x-sensitive"] = True


def depends(dependant: Dependant, call: Any) -> bool:
    """Say whether a route calls a dependency, at whatever depth."""
    return dependant.call is call or any(depends(each, call) for each in dependant.dependencies)
