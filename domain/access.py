"""Who may do what, as words: scopes of keys and tokens, roles of people, and what one operation asks for.

Roles are sets, not steps of a ladder: whoever may erase a person's data need not be able to change routes, and the
other way round. So an operation names each role that may do it (`docs/adr/0020-access-as-a-table.md`).
"""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key or a token was given the power to do, within its own account and environment."""

    VERIFICATIONS_WRITE = "verifications:write"
    VERIFICATIONS_READ = "verifications:read"
    CHECKS_WRITE = "checks:write"
    SANDBOX = "sandbox"
    WEBHOOKS = "webhooks"
    EVENTS_READ = "events:read"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    ROUTES = "routes"
    USAGE_READ = "usage:read"
    KEYS = "keys"
    AUDIT_READ = "audit:read"
    # Sensitive operations, each only together with the operation's own scope.
    ADMIN = "admin"
    # Every account of the instance, not only the key's own. Given out on the command line and nowhere else.
    ACCOUNTS = "accounts"


class Role(StrEnum):
    """What a person with a dashboard login is there for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    COMPLIANCE = "compliance"
    OWNER = "owner"


EVERY_SCOPE = frozenset(Scope)
EVERY_ROLE = frozenset(Role)
# Who keeps the service running; and who answers for it.
RUNNERS = frozenset({Role.OPERATOR, Role.OWNER})
GUARDIANS = frozenset({Role.COMPLIANCE, Role.OWNER})
# What a key gets unless it is asked for less: everything that concerns its own account and is not sensitive.
USUAL_SCOPES = EVERY_SCOPE - {Scope.ADMIN, Scope.ACCOUNTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one operation asks of its caller: any one of these scopes, or one of these roles.

    Without scopes it is enough to be known. `is_sensitive` asks for more than that each time; `is_public` for nothing.
    `is_for_people` keeps keys and tokens out. What `is_of_instance` is no account's own: a person need not say which.
    """

    scopes: frozenset[Scope] = frozenset()
    roles: frozenset[Role] = EVERY_ROLE
    is_sensitive: bool = False
    is_public: bool = False
    is_for_people: bool = False
    is_of_instance: bool = False


def scopes_of(text: str) -> frozenset[Scope]:
    """Return the scopes of a list with spaces between them; a word that is no scope of this version gives nothing."""
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[word] for word in text.split() if word in known)


def scopes_as_text(scopes: frozenset[Scope]) -> str:
    """Return scopes as a list with spaces between them, sorted."""
    return " ".join(sorted(scopes))
