"""Whether a caller may do an operation: pure, over the facts of the caller and the table's word on the operation."""

from domain.access import USUAL_SCOPES, Access, Scope
from domain.errors import InsufficientScopeError
from domain.facts import Caller
from domain.operator_errors import OperatorsOnlyError

# What a key, a token or a person can give a key or a client at all.
_GIVABLE = USUAL_SCOPES | {Scope.ADMIN}


def ensure_allowed(caller: Caller, access: Access) -> None:
    """Let a caller pass who has one of the operation's scopes, or one of its roles.

    Raises:
        InsufficientScopeError: neither.
        OperatorsOnlyError: only people do it, and the caller is a key or a token.

    """
    if access.is_for_people and caller.role is None:
        raise OperatorsOnlyError("Operators do this, signed in with POST /v1/session; a key cannot.")
    if access.is_public or caller.role in access.roles:
        return
    # A person has a role and no scopes; what asks for no scope is still not for a role that is not listed.
    if caller.role is None and (not access.scopes or access.scopes & caller.scopes):
        return
    if caller.role is not None:
        raise InsufficientScopeError("Your role may not do this.", fields={"scopes": [], "role": caller.role.value})
    raise insufficient_scope(access.scopes)


def ensure_may_give(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Let a caller give out scopes that it has itself; a person who may make keys may give all that a key can have.

    Nobody hands on `accounts`, who has it neither: whoever has the machine's command line gives it.

    Raises:
        InsufficientScopeError: it does not have one of them, or one is not for it to give.

    """
    given = _GIVABLE if caller.role is not None else caller.scopes & _GIVABLE
    if missing := scopes - given:
        named = sorted(scope.value for scope in missing)
        told = f"A key can give out only what it has itself, and this one does not have {', '.join(named)}."
        if Scope.ACCOUNTS in missing:
            told = "The scope accounts is given out on the command line alone (./countersign key create); leave it out."
        raise _lacking(told, named)


def ensure_holds(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Let a caller change a key that can do nothing which it cannot do itself; a person may change any.

    Raises:
        InsufficientScopeError: the key has a scope that the caller does not have.

    """
    if caller.role is None and (missing := scopes - caller.scopes):
        named = sorted(scope.value for scope in missing)
        told = f"A key changes none that can do more than it can, and this one does not have {', '.join(named)}."
        raise _lacking(told, named)


def insufficient_scope(scopes: frozenset[Scope]) -> InsufficientScopeError:
    """Return the refusal that names the scopes of which one would do (RFC 6750, section 3.1)."""
    named = sorted(scope.value for scope in scopes)
    told = f"This needs the scope {' or '.join(named)}." if named else "Your role may not do this."
    challenge = {"error": "insufficient_scope", **({"scope": " ".join(named)} if named else {})}
    return InsufficientScopeError(told, fields={"scopes": named}, challenge=challenge)


def _lacking(told: str, named: list[str]) -> InsufficientScopeError:
    challenge = {"error": "insufficient_scope", "scope": " ".join(named)}
    return InsufficientScopeError(told, fields={"scopes": named}, challenge=challenge)
