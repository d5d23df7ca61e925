"""The one door before every sensitive operation: what is asked of a caller beyond scope or role, each time.

`api/callers.py` calls it for a request whose row in `api/authorisation.py` is sensitive: after the caller was found,
the request counted and the scope or role accepted, and before the operation begins. It returns nothing and changes
nothing about the request; to refuse it raises a `DomainError`. Whatever it needs to know of the caller is in `Caller`
(`role`, `scopes`, `stepped_up_at`); what it needs to look up, in `Parts`.
"""

from api.parts import Parts
from domain.access import Scope
from domain.facts import Caller
from rules.access import insufficient_scope


async def ensure_sensitive_allowed(caller: Caller, *, operation: str, parts: Parts) -> None:  # noqa: ARG001
    """Let a caller through to a sensitive operation: one whose key or token was given the scope `admin` for it.

    Raises:
        InsufficientScopeError: it was not.

    """
    if Scope.ADMIN not in caller.scopes:
        raise insufficient_scope(frozenset({Scope.ADMIN}))
