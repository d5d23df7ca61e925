"""The one door before every sensitive operation: what is asked of a caller beyond scope or role, each time.

`api/callers.py` calls it for a request whose row in `api/authorisation.py` is sensitive: after the caller was found,
the request counted and the scope or role accepted, and before the operation begins. It returns nothing; to refuse it
raises a `DomainError`.
"""

from fastapi import Request

from api.authorisation import APPROVAL_HEADER
from api.parts import Parts
from domain.access import Access, Scope
from domain.facts import Caller
from domain.operators import SensitiveRequest
from rules.access import insufficient_scope
from rules.approvals import needs_approval


async def ensure_sensitive_allowed(caller: Caller, request: Request, *, access: Access, parts: Parts) -> None:
    """Let a caller through to a sensitive operation: a person with a fresh second factor, or a machine that may.

    A machine needs the scope `admin`; and in production, or for what is the instance's, an operator's approval of
    exactly this request, which is used up here.

    Raises:
        StepUpRequiredError: the person's second factor was seen too long ago.
        InsufficientScopeError: the machine was not given the scope.
        ApprovalRequiredError, ApprovalRefusedError: it has no approval, or one that is not for this.

    """
    if caller.role is not None:
        await parts.people.sessions.ensure_stepped_up(caller)
        return
    if Scope.ADMIN not in caller.scopes:
        raise insufficient_scope(frozenset({Scope.ADMIN}))
    if needs_approval(caller, access):
        asked = SensitiveRequest(
            operation=request.scope["route"].name, path=_path_of(request), body=await request.body()
        )
        await parts.people.approvals.ensure_approved(caller, asked, approval=request.headers.get(APPROVAL_HEADER))


def _path_of(request: Request) -> str:
    """Return path and query as they were sent."""
    query: bytes = request.scope["query_string"]
    path: str = request.scope["path"]
    return f"{path}?{query.decode('latin-1')}" if query else path
