"""When a machine needs an operator's approval for what it asks, and for how long one lasts. Pure."""

from domain.access import Access
from domain.facts import Caller
from domain.statuses import Environment

PENDING_S, APPROVED_S = 24 * 3600, 3600
# Of one caller at a time; more than anybody decides.
MOST_PENDING = 50


def needs_approval(caller: Caller, access: Access) -> bool:
    """Say whether it does: for a sensitive operation in production or of the instance, not in a sandbox of its own."""
    if caller.role is not None or not access.is_sensitive:
        return False
    return access.is_of_instance or caller.environment is Environment.PRODUCTION
